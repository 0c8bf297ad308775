#pragma once
// What the address and the thread sanitizer are told. Their functions are declared weak: they are there when the
// program is built with one of them, so that one build of the shim serves every kind of program. (The shim itself is
// never compiled for the thread sanitizer: its scheduler is no part of the kernel whose races are looked for.)
#include <cstddef>

extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, std::size_t size);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, std::size_t* size);
[[gnu::weak]] void __asan_poison_memory_region(const volatile void* begin, std::size_t size);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* begin, std::size_t size);
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_destroy_fiber(void* fiber);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fiber, unsigned flags);
[[gnu::weak]] void __tsan_set_fiber_name(void* fiber, const char* name);
[[gnu::weak]] void __tsan_acquire(void* address);
[[gnu::weak]] void __tsan_release(void* address);
[[gnu::weak]] void AnnotateIgnoreWritesBegin(const char* file, int line);
[[gnu::weak]] void AnnotateIgnoreWritesEnd(const char* file, int line);
}

namespace moesim::shim {

inline bool address_sanitizer() { return __asan_poison_memory_region != nullptr; }
inline bool thread_sanitizer() { return __tsan_create_fiber != nullptr; }

inline void forbid(const void* begin, std::size_t size) {
    if (address_sanitizer()) __asan_poison_memory_region(begin, size);
}
inline void allow(const void* begin, std::size_t size) {
    if (address_sanitizer()) __asan_unpoison_memory_region(begin, size);
}

// What the shim writes in this scope is no access of a kernel's.
class UnseenWrites {
  public:
    UnseenWrites() {
        if (thread_sanitizer()) AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~UnseenWrites() {
        if (thread_sanitizer()) AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    }
    UnseenWrites(const UnseenWrites&) = delete;
    UnseenWrites& operator=(const UnseenWrites&) = delete;
};

}  // namespace moesim::shim
