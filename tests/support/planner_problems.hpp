#pragma once
// Small problems for planners, and every placement that they have.
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "planner/problem.hpp"

namespace moesim::test {

// A trace of given choices, [token][layer]: first choices only.
PlannerProblem first_choice_problem(const std::vector<std::vector<ExpertIndex>>& tokens, std::size_t experts,
                                    std::size_t positions);

struct ProblemSize {
    std::size_t tokens = 12, layers = 2, experts = 4, top_k = 1;
    std::size_t nodes = 1, positions = 2;  // positions: of all nodes together
};
// Tokens with skewed choices that follow one another, 1 ns a byte inside nodes and 2 to 5 between; the same for the
// same seed. As many slots as experts fit evenly.
PlannerProblem random_problem(std::uint64_t seed, const ProblemSize& size);

// Every placement of one copy each with experts / positions, rounded down or up, of each layer on each position.
void for_every_placement(const PlannerProblem& problem, const std::function<void(const Matrix<std::uint32_t>&)>& visit);

// The least value of all of those.
double least_of_all(const PlannerProblem& problem, const std::function<double(const Matrix<std::uint32_t>&)>& value);

// First choices of adjacent layers that are in different groups; group_of: [position].
double crossing_tokens(const PlannerProblem& problem, const Matrix<std::uint32_t>& place,
                       const std::vector<std::uint32_t>& group_of);

// [layer][expert]: of first copies.
Matrix<std::uint32_t> first_copies(const Placement& placement);

// Every layer has experts / positions, rounded down or up, on each position.
bool is_even(const Placement& placement);

}  // namespace moesim::test
