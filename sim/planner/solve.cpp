#include "planner/solve.hpp"

#include <fmt/format.h>

#include <cmath>

#include "planner/cbc_process.hpp"
#include "planner/infeasible.hpp"

namespace moesim {
namespace {

// CBC's own tolerance is 1e-6 of a row, and whole columns were rounded since.
constexpr double tolerance = 1e-5;

}  // namespace

double Solution::gap() const { return value == bound ? 0 : (value - bound) / std::abs(value); }

Solution solve(const IntegerProgram& program, const SolveOptions& options) {
    if (!options.start.empty() && options.start.size() != program.columns().size())
        throw InternalError(
            fmt::format("a start of {} values for {} columns", options.start.size(), program.columns().size()));
    SolveOptions checked = options;
    if (!checked.start.empty() && program.violation(checked.start) > tolerance) checked.start.clear();
    CbcAnswer answer = run_cbc_apart(program, checked);
    Solution& s = answer.solution;
    if (answer.no_solution) {
        if (checked.start.empty()) explain_infeasible(program);
        throw InternalError("CBC finds no solution of a program that one is known of, or no bound");
    }
    if (!s.x.empty() && program.violation(s.x) > tolerance)
        throw InternalError(
            fmt::format("CBC's answer breaks a constraint of the program by {:.3g}", program.violation(s.x)));
    if (!checked.start.empty()) {
        const double known = program.value(checked.start);
        if (s.x.empty() || known < s.value) {
            s.x = checked.start;
            s.value = known;
            s.bound = std::min(s.bound, known);
        }
    }
    return s;
}

}  // namespace moesim
