// What the leak checker of the address sanitizer is to overlook.

// CoinUtils 2.11, in which CBC presolves, returns early from this function without its work space.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:presolve_dupmajor\n"; }
