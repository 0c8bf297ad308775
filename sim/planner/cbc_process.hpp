#pragma once
// CBC in a process of its own.
#include "planner/cbc.hpp"

namespace moesim {

// run_cbc() in a copy of this process. CBC 2.10 was seen to crash where a clock ended one of its steps, and to overlook
// the clock: with options.seconds, a copy that dies, or takes twice as long and five seconds more, counts as stopped by
// the limit, with what it had proven until then. Without a clock a copy that dies is an InternalError.
CbcAnswer run_cbc_apart(const IntegerProgram& program, const SolveOptions& options);

}  // namespace moesim
