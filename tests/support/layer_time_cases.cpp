#include "support/layer_time_cases.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "support/random_scenario.hpp"
#include "traffic/grid.hpp"

namespace moesim::test {

PlannerProblem problem_of(const Scenario& scenario, const Fabric& fabric, std::vector<ExpertIndex> choices,
                          std::size_t slots) {
    auto trace = std::make_shared<RoutingTrace>();
    trace->layers = static_cast<std::size_t>(scenario.model.moe_layers);
    trace->top_k = static_cast<std::size_t>(scenario.model.top_k);
    trace->experts = static_cast<std::size_t>(scenario.model.experts);
    trace->tokens = choices.size() / (trace->layers * trace->top_k);
    trace->choices = std::move(choices);
    trace->source_begin = {0};
    PlannerProblem p;
    p.workload = workload_counts(trace);
    const RankGrid grid(scenario.parallelism);
    for (std::size_t position = 0; position < grid.expert(); ++position)
        p.positions.node.push_back(static_cast<std::uint32_t>(fabric.node_of(grid.rank(position, 0)).value()));
    p.positions.seconds_per_byte = Matrix<double>(grid.expert(), grid.expert());
    p.slots = slots;
    return p;
}

LayerTimeCase layer_time_case(std::uint64_t number) {
    Scenario s = random_scenario(number);
    Fabric fabric = build_fabric(s.topology);
    RandomStream random(stream_key(31, 0), number);
    const auto experts = static_cast<std::uint32_t>(s.model.experts);
    const std::size_t tokens = 1 + random.below(300);
    std::vector<ExpertIndex> choices;
    for (std::size_t row = 0; row < tokens * static_cast<std::size_t>(s.model.moe_layers); ++row) {
        std::vector<ExpertIndex> token;
        while (token.size() < static_cast<std::size_t>(s.model.top_k)) {
            // The smaller of two: skewed.
            const auto e = static_cast<ExpertIndex>(std::min(random.below(experts), random.below(experts)));
            if (std::find(token.begin(), token.end(), e) == token.end()) token.push_back(e);
        }
        if (random.below(10) == 0) token.back() = no_expert;
        choices.insert(choices.end(), token.begin(), token.end());
    }
    const auto even = static_cast<std::size_t>(s.model.experts / s.parallelism.expert);
    PlannerProblem p = problem_of(s, fabric, std::move(choices), even + random.below(3));
    return {std::move(s), std::move(fabric), std::move(p)};
}

Placement slotted_placement(const PlannerProblem& problem, std::uint64_t number, bool copies) {
    RandomStream random(stream_key(32, 0), number);
    const std::size_t positions = problem.positions.count(), experts = problem.workload.experts;
    std::vector<std::vector<std::vector<std::uint32_t>>> all;
    for (std::size_t l = 0; l < problem.workload.layers; ++l) {
        std::vector<std::size_t> held(positions);
        const auto free_position = [&] {
            for (;;) {
                const std::uint32_t p = random.below(static_cast<std::uint32_t>(positions));
                if (held[p] < problem.slots) return ++held[p], p;
            }
        };
        auto& layer = all.emplace_back(experts);
        for (auto& at : layer) at.push_back(free_position());
        for (std::size_t more = problem.slots * positions - experts; copies && more > 0; --more)
            layer[random.below(static_cast<std::uint32_t>(experts))].push_back(free_position());
    }
    return {std::move(all), positions};
}

}  // namespace moesim::test
