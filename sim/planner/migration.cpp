#include "planner/migration.hpp"

#include <algorithm>
#include <tuple>

#include "base/error.hpp"
#include "base/matrix.hpp"
#include "cost/stage_cost.hpp"
#include "network/transfer_time.hpp"
#include "traffic/grid.hpp"

namespace moesim {
namespace {

bool holds(std::span<const std::uint32_t> positions, std::uint32_t position) {
    return std::binary_search(positions.begin(), positions.end(), position);
}

std::vector<std::uint32_t> nodes_of_group(const RankGrid& grid, const Fabric& fabric, std::size_t group) {
    std::vector<std::uint32_t> node;
    for (std::size_t q = 0; q < grid.expert(); ++q)
        node.push_back(static_cast<std::uint32_t>(fabric.node_of(grid.rank(group * grid.expert() + q, 0)).value()));
    return node;
}

}  // namespace

std::vector<ExpertCopy> expert_copies(const Placement& before, const Placement& after,
                                      std::span<const std::uint32_t> node) {
    if (before.layers() != after.layers() || before.experts() != after.experts() ||
        before.positions() != after.positions() || node.size() != after.positions())
        throw InternalError("a migration between placements of two shapes");
    std::vector<ExpertCopy> copies;
    std::vector<std::size_t> sends(node.size());
    for (std::size_t l = 0; l < after.layers(); ++l)
        for (std::size_t e = 0; e < after.experts(); ++e) {
            const auto had = before.replicas(LayerId(l), e), has = after.replicas(LayerId(l), e);
            for (std::size_t i = 0; i < has.size(); ++i) {
                const std::uint32_t to = has[i];
                if (holds(had, to) || (i > 0 && has[i - 1] == to)) continue;
                const std::uint32_t from = *std::min_element(had.begin(), had.end(), [&](auto a, auto b) {
                    return std::make_tuple(node[a] != node[to], sends[a], a) <
                           std::make_tuple(node[b] != node[to], sends[b], b);
                });
                ++sends[from];
                copies.push_back({LayerId(l), e, from, to});
            }
        }
    return copies;
}

Migration migration(const Placement& before, const Placement& after, const Scenario& s, const Fabric& fabric) {
    const RankGrid grid(s.parallelism);
    const std::int64_t part = feed_forward_bytes(s.model, s.model.expert_ffn, s.parallelism.tensor);
    Migration m;
    std::vector<Transfer> transfers;
    for (std::size_t g = 0; g < grid.groups(); ++g) {
        Matrix<std::int64_t> count(grid.expert(), grid.expert());  // [from][to]
        for (const ExpertCopy& c : expert_copies(before, after, nodes_of_group(grid, fabric, g))) {
            ++count(c.from, c.to);
            ++m.copies;
        }
        for (std::size_t from = 0; from < count.rows(); ++from)
            for (std::size_t to = 0; to < count.cols(); ++to)
                for (std::size_t t = 0; t < grid.tensor() && count(from, to) > 0; ++t)
                    transfers.push_back({grid.rank(g * grid.expert() + from, t), grid.rank(g * grid.expert() + to, t),
                                         Bytes(part * count(from, to))});
    }
    m.bytes = Bytes(part * s.parallelism.tensor * m.copies);
    m.time = transfer_time(fabric, MessageModel(fabric, s.profile), transfers, s.network.tolerance);
    return m;
}

}  // namespace moesim
