#pragma once
// The one way to CBC, COIN-OR's branch and cut.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "planner/integer_program.hpp"

namespace moesim {

struct SolveOptions {
    std::uint64_t seed = 0;
    // Limits of the search. One by nodes alone gives the same answer on every machine with the same CBC. What the
    // clock ends may know no bound.
    std::optional<double> seconds;
    std::optional<std::int64_t> nodes;
    std::vector<double> start;  // [column]: a known solution, or empty; the answer is never worse
};

struct Solution {
    bool optimal = false;   // proven, to CBC's tolerance (1e-6 of the value)
    double value = 0;       // infinite where none was found within the limits
    double bound = 0;       // proven: no solution has less; -infinity where nothing is known
    std::vector<double> x;  // [column]; empty where none was found; whole columns hold whole values
    // (value - bound) / value; 0 where they agree. Means nothing where the bound is 0.
    [[nodiscard]] double gap() const;
};

// A program without a solution; what() names the constraint families that cannot be met.
class InfeasibleProgram : public InputError {
  public:
    InfeasibleProgram(const std::string& what, std::vector<std::string> families)
        : InputError(what), families_(std::move(families)) {}
    // Where one family alone would have to give way: each such one. Else those that would have to together.
    [[nodiscard]] const std::vector<std::string>& families() const { return families_; }

  private:
    std::vector<std::string> families_;
};

// A program whose objective falls without end; what() names the columns that no constraint holds.
class UnboundedProgram : public InputError {
  public:
    using InputError::InputError;
};

// Throws InfeasibleProgram or UnboundedProgram; InternalError where CBC's answer does not keep the constraints, or
// `start` has not one value a column. A start that breaks a constraint is not used.
Solution solve(const IntegerProgram& program, const SolveOptions& options = {});

// For other solvers to check: CPLEX LP format where the path ends in .lp, MPS otherwise. Throws InputError where it
// cannot be written.
void write_program(const IntegerProgram& program, const std::string& path);

}  // namespace moesim
