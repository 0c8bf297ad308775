#include "support/exchanges.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "engine/collective.hpp"
#include "engine/run_tasks.hpp"
#include "placement/placement.hpp"
#include "support/in_child.hpp"

namespace moesim::test {

Exchange even_exchange(const RankGrid& grid, std::int64_t rows) {
    Exchange x;
    x.received_rows.resize(grid.ranks());
    x.forwarded_rows.resize(grid.ranks());
    for (std::size_t a = 0; a < grid.ranks(); ++a)
        for (std::size_t b = 0; b < grid.ranks(); ++b) {
            const RankId from(a), to(b);
            const bool together = grid.tensor_of(from) == grid.tensor_of(to) &&
                                  grid.group_begin(grid.data_of(from)) == grid.group_begin(grid.data_of(to));
            if (a == b || !together) continue;
            x.hops.push_back({from, to, rows});
            x.received_rows[b] += rows;
        }
    return x;
}

std::vector<double> arrivals_of(const std::vector<Message>& messages, const TopologySpec& topology,
                                const Profile& profile) {
    const auto run = [&] {
        const Fabric fabric = build_fabric(topology);
        const Ways ways(fabric, profile);
        TaskGraph graph;
        const CollectiveEnds ends = add_collective_ends(graph, {}, fabric.ranks());
        add_transfers(graph, ends, {}, messages, fabric, ways.shared());
        const auto times = run_tasks(graph, ways, NetworkSpec{NetworkKind::simgrid, 0}, {}, {}).tasks;
        std::vector<double> arrivals;
        for (TaskId id = 0; id < graph.tasks().size(); ++id)
            if (graph.tasks()[id].kind == TaskKind::transfer) arrivals.push_back(times[id].finish.value());
        return nlohmann::json(arrivals);
    };
    return in_child(run).get<std::vector<double>>();
}

double time_of(const std::vector<Message>& messages, const TopologySpec& topology, const Profile& profile) {
    const std::vector<double> arrivals = arrivals_of(messages, topology, profile);
    return arrivals.empty() ? 0 : *std::max_element(arrivals.begin(), arrivals.end());
}

Exchange random_exchange(const Scenario& s, const Fabric& fabric, Dedup dedup, std::uint64_t seed) {
    RandomStream random(stream_key(21, 0), seed);
    const RankGrid grid(s.parallelism);
    const Placement placement = make_placement(s.placement, s.model, s.parallelism);
    const auto width = static_cast<std::size_t>(s.model.top_k);
    std::vector<std::vector<ExpertIndex>> choices(grid.data());
    std::vector<SourceChoices> sources;
    for (std::size_t d = 0; d < grid.data(); ++d) {
        for (std::size_t left = random.below(20); left > 0; --left) {
            // Different experts, as a router chooses them: some in a row, around the end. One in eight is dropped.
            const std::uint32_t first = random.below(static_cast<std::uint32_t>(s.model.experts));
            for (std::size_t k = 0; k < width; ++k)
                choices[d].push_back(
                    random.below(8) == 0
                        ? no_expert
                        : static_cast<ExpertIndex>((first + k) % static_cast<std::size_t>(s.model.experts)));
        }
        sources.push_back({d, choices[d], width});
    }
    return count_exchange(sources, LayerId(0), dedup, placement, grid, fabric);
}

}  // namespace moesim::test
