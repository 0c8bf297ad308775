#pragma once
// Why a program has no solution.
#include "planner/integer_program.hpp"

namespace moesim {

// Of a program that CBC found no solution for because there is none. Throws UnboundedProgram where the objective falls
// without end. Otherwise solves the program again with one family elastic at a time (each of its rows may be missed, at
// a cost) and throws InfeasibleProgram that names the families that suffice, or, where no single one does, those that
// are missed when all are elastic. Elastic programs: J. W. Chinneck, "Feasibility and Infeasibility in Optimization",
// Springer 2008, chapter 6.
[[noreturn]] void explain_infeasible(const IntegerProgram& program);

}  // namespace moesim
