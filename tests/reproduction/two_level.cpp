#include "reproduction/two_level.hpp"

#include "base/file.hpp"
#include "config/json_text.hpp"
#include "network/alltoall/choose.hpp"
#include "support/exchanges.hpp"

namespace moesim::test {
namespace {

nlohmann::json read(const std::string& path) {
    const std::string file = std::string(MOESIM_SOURCE_DIR) + "/topologies/" + path;
    return parse_json(read_file(file, max_json_bytes), file);
}

}  // namespace

TwoLevel compare_levels(std::size_t gpus, std::int64_t bytes, bool simulated) {
    TopologySpec topology = parse_topology(read("h100-4-nodes.json"), "topology");
    const Profile profile = parse_profile(read("profiles/h100-sxm.json"), "profile");
    const auto n = static_cast<std::int64_t>(gpus);
    topology.nodes = n / topology.gpus_per_node;
    const Fabric fabric = build_fabric(topology);
    const RankGrid grid({n, n, 1});
    const MessageModel model(fabric, profile);
    const Exchange x = even_exchange(grid, 1);
    const auto time = [&](Algorithm a) {
        DispatchSpec d;
        d.algorithm = a;
        const auto messages = make_all_to_all(d, profile, grid, fabric)->dispatch(x, Bytes(bytes / (n - 1)));
        return simulated ? time_of(messages, topology, profile) : least_time(messages, fabric, model).value();
    };
    return {gpus, bytes, time(Algorithm::pairwise), time(Algorithm::hierarchical)};
}

}  // namespace moesim::test
