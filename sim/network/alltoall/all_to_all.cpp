#include "network/alltoall/all_to_all.hpp"

#include "base/error.hpp"
#include "network/alltoall/context_coherent.hpp"
#include "network/alltoall/direct.hpp"
#include "network/alltoall/hierarchical.hpp"
#include "network/alltoall/low_latency.hpp"
#include "network/alltoall/pairwise.hpp"
#include "network/alltoall/rail.hpp"

namespace moesim {

std::vector<Message> AllToAll::dispatch(const Exchange& exchange, Bytes row) const {
    return held_back(messages(exchange, row));
}

std::vector<Message> AllToAll::give_back(const Exchange& exchange, Bytes row) const {
    return held_back(mirrored(messages(exchange, row)));
}

std::vector<Message> AllToAll::held_back(std::vector<Message> all) const {
    hold_back(all);
    return all;
}

std::vector<Message> AllToAll::messages(const Exchange& exchange, Bytes row) const {
    return dispatch_messages(exchange, row);
}

std::vector<std::int64_t> AllToAll::staged_rows(const Exchange& exchange) const { return exchange.forwarded_rows; }

std::unique_ptr<const AllToAll> make_all_to_all(const DispatchSpec& dispatch, const Profile& profile,
                                                const RankGrid& grid, const Fabric& fabric) {
    const auto window = static_cast<std::size_t>(dispatch.window);
    switch (dispatch.algorithm) {
        case Algorithm::direct: return std::make_unique<DirectAllToAll>();
        case Algorithm::pairwise: return std::make_unique<PairwiseAllToAll>(grid, window);
        case Algorithm::hierarchical:
            return std::make_unique<HierarchicalAllToAll>(grid, fabric, Roofline(profile), window);
        case Algorithm::rail: return std::make_unique<RailAllToAll>();
        case Algorithm::low_latency: return std::make_unique<LowLatencyAllToAll>();
        case Algorithm::context_coherent: return std::make_unique<ContextCoherentAllToAll>();
        case Algorithm::chosen: break;
    }
    throw InternalError("an all-to-all whose algorithm was never chosen");
}

}  // namespace moesim
