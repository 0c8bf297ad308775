#pragma once
// How methods made of several integer programs share out the effort, and where their programs are written.
#include <optional>
#include <string>

#include "planner/problem.hpp"
#include "planner/solve.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {

// Every program that a method solves, for other solvers to check: "dir/exflow.lp" becomes "dir/exflow-nodes.lp".
struct ProgramFiles {
    std::string path;  // empty: not written
    void write(const IntegerProgram& program, const std::string& stage) const;
};

// Throws InputError where a program has more elements than CBC can do anything with.
void check_program_size(const std::string& what, double elements);

class ProgramEffort {
  public:
    explicit ProgramEffort(const Effort& effort) : effort_(effort) {}
    // For the next program, which may have this part of the time that is left; each has all the iterations as nodes of
    // its search.
    [[nodiscard]] SolveOptions part(double share) const;
    [[nodiscard]] Seconds took() const { return watch_.elapsed(); }

  private:
    Effort effort_;
    Stopwatch watch_;
};

}  // namespace moesim
