#include "support/graphs.hpp"

#include "support/in_child.hpp"
#include "support/scenarios.hpp"

namespace moesim::test {

Task compute(std::size_t rank, double seconds) {
    Task t;
    t.kind = TaskKind::compute;
    t.label.rank = RankId(rank);
    t.duration = Seconds(seconds);
    return t;
}

Task transfer(std::size_t from, std::size_t to, std::int64_t bytes, double latency) {
    Task t;
    t.kind = TaskKind::transfer;
    t.label.rank = RankId(from);
    t.peer = RankId(to);
    t.bytes = Bytes(bytes);
    t.latency = Seconds(latency);
    return t;
}

std::vector<double> finish_times(const TaskGraph& graph, const TopologySpec& topology, const ComputeSpeeds& speeds,
                                 const NetworkSpec& network) {
    return in_child([&] {
        const Fabric fabric = build_fabric(topology);
        const Ways ways(fabric, ideal_profile());
        nlohmann::json all = nlohmann::json::array();
        for (const TaskTime& t : run_tasks(graph, ways, network, speeds, {}).tasks) all.push_back(t.finish.value());
        return all;
    });
}

}  // namespace moesim::test
