#include "network/placement_loads.hpp"

#include <algorithm>

namespace moesim {

PlacementLoads::PlacementLoads(const Fabric& fabric, const MessageModel& messages, const Matrix<double>& bytes)
    : ranks_(fabric.ranks()), to_expert_(bytes.cols(), bytes.rows()), to_rank_(ranks_, ranks_),
      load_(fabric.links().size()) {
    for (std::size_t r = 0; r < bytes.rows(); ++r)
        for (std::size_t e = 0; e < bytes.cols(); ++e) to_expert_(e, r) = bytes(r, e);
    for (std::size_t to = 0; to < ranks_; ++to)
        for (std::size_t from = 0; from < ranks_; ++from) {
            route_begin_.push_back(static_cast<std::uint32_t>(route_links_.size()));
            if (from == to) continue;
            const Route route = fabric.route(RankId(from), RankId(to));
            for (const LinkId l : route.links()) route_links_.push_back(static_cast<std::uint32_t>(l.value()));
        }
    route_begin_.push_back(static_cast<std::uint32_t>(route_links_.size()));
    for (const BytesPerSecond c : messages.capacity()) per_byte_.push_back(1 / c.value());
}

Seconds PlacementLoads::busiest(std::span<const RankId> home) {
    to_rank_.fill(0);
    for (std::size_t e = 0; e < home.size(); ++e) {
        const auto sent = to_expert_.row(e);
        const auto sum = to_rank_.row(home[e].value());
        for (std::size_t from = 0; from < ranks_; ++from) sum[from] += sent[from];
    }
    std::fill(load_.begin(), load_.end(), 0.0);
    const double* bytes = to_rank_.values().data();
    for (std::size_t pair = 0; pair + 1 < route_begin_.size(); ++pair)
        for (std::uint32_t i = route_begin_[pair]; i < route_begin_[pair + 1]; ++i)
            load_[route_links_[i]] += bytes[pair];
    double longest = 0;
    for (std::size_t l = 0; l < load_.size(); ++l) longest = std::max(longest, load_[l] * per_byte_[l]);
    return Seconds(longest);
}

}  // namespace moesim
