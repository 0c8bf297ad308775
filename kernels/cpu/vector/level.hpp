#pragma once
// Names of what is compiled for one level of vector instructions, MOESIM_LEVEL being 1, 3 or 4. Each level has its own:
// of an inline function or a template that two levels compiled, the linker keeps one, perhaps that which this machine
// cannot run.
#define MOESIM_PASTE(a, b) a##b
#define MOESIM_JOIN(a, b) MOESIM_PASTE(a, b)
#define MOESIM_LEVEL_NAME(name) MOESIM_JOIN(MOESIM_JOIN(name, _level_), MOESIM_LEVEL)
#define MOESIM_CODE MOESIM_LEVEL_NAME(code)  // the namespace
