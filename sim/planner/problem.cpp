#include "planner/problem.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace moesim {

std::size_t Positions::nodes() const { return node.empty() ? 0 : *std::max_element(node.begin(), node.end()) + 1; }

bool fits(const PlannerProblem& problem, const Placement& placement) {
    for (std::size_t p = 0; p < placement.positions() && problem.memory; ++p)
        if (problem.expert_bytes * static_cast<std::int64_t>(placement.experts_at(p)) > *problem.memory) return false;
    return true;
}

void check_fits(const PlannerProblem& problem, const Placement& placement) {
    if (fits(problem, placement)) return;
    for (std::size_t p = 0; p < placement.positions(); ++p) {
        const auto held = static_cast<std::int64_t>(placement.experts_at(p));
        const Bytes bytes = problem.expert_bytes * held;
        if (bytes > *problem.memory)
            throw CheckFailed(fmt::format(
                "position {}: found {} experts of all layers, {:.4g} GB, expected {:.4g} GB at most, what "
                "the rest of the model leaves of its memory",
                p, held, static_cast<double>(bytes.value()) / 1e9, static_cast<double>(problem.memory->value()) / 1e9));
    }
}

}  // namespace moesim
