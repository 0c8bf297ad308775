#pragma once
// The integer program of ExFlow: experts of all layers to groups, so that few first choices of adjacent layers are in
// different groups (Yao et al., "Exploiting Inter-Layer Expert Affinity", arXiv:2401.08383).
#include <optional>
#include <utility>
#include <vector>

#include "planner/placement_columns.hpp"

namespace moesim {

enum class CrossingForm {
    tokens,  // as published: a column R[token][layer] for every token and pair of layers
    counts,  // equivalent: a column y[layer][expert][expert], its cost the count of tokens that take both
};

// Some experts, and the groups that they are to be dealt to.
struct CrossingCase {
    std::vector<std::vector<std::size_t>> experts;  // [layer]: called by their place in it from here on
    std::vector<Matrix<double>> flow;               // [layer - 1][expert][expert of the next layer]: tokens
    std::vector<GroupSize> sizes;                   // [group]
    std::vector<std::size_t> slots;                 // [group]: of a layer
    std::vector<std::size_t> memory;                // [group]: experts of all layers together
    std::vector<std::vector<std::uint32_t>> start;  // [layer][expert]
    // The tokens behind `flow`, each a pair of adjacent layers' experts; for CrossingForm::tokens.
    std::vector<std::vector<std::pair<std::size_t, std::size_t>>> tokens;  // [layer - 1][token]
};

struct CrossingProgram {
    IntegerProgram program;
    PlacementColumns x;
    std::vector<double> start;  // [column]
};

// strengthened: with the counts form, the rows sum_b y[a][b] = sum_a y[a][b] = E - E/G, which cut off fractional
// solutions that CBC gets stuck at, where y counts what a whole solution has anyhow; and with both forms, alike groups
// are named in one order only.
CrossingProgram crossing_program(const CrossingCase& c, CrossingForm form, bool strengthened);

}  // namespace moesim
