#pragma once
// What CBC says of a program, before anyone judges it. For solve() and the search for reasons; planners call solve().
#include <functional>

#include "planner/solve.hpp"

namespace moesim {

struct CbcAnswer {
    bool no_solution = false;  // CBC says that there is none, or that the objective is unbounded: it tells them apart
                               // only at times
    Solution solution;         // where it has x empty and no_solution is false, a limit came first
};

// Prints nothing. Once a process: CBC's driver is not known to be reentrant (cbc_process.hpp gives each its own).
// relaxed: what the first relaxation alone says, where the search goes on.
CbcAnswer run_cbc(const IntegerProgram& program, const SolveOptions& options,
                  const std::function<void(const CbcAnswer&)>& relaxed = {});

}  // namespace moesim
