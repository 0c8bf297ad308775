#pragma once
// Routing x placement -> what one dispatch moves: rows between ranks, tokens an expert.
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/matrix.hpp"
#include "config/scenario.hpp"
#include "placement/placement.hpp"
#include "topology/fabric.hpp"
#include "traffic/copy_chooser.hpp"
#include "traffic/grid.hpp"
#include "workload/routing.hpp"

namespace moesim {

// One message from rank to rank. A row is one token's activation vector.
struct Hop {
    RankId from, to;
    std::int64_t rows = 0;
    // dedup = node: a forwarding hop follows, within the node, the hop `after` that brought its rows there.
    std::int32_t after = none;
    static constexpr std::int32_t none = -1;
};

// Everything that one chunk of one micro-batch exchanges in one layer. The return runs along the same hops backwards.
struct Exchange {
    std::vector<Hop> hops;                    // a hop comes after the one it forwards
    std::vector<std::int64_t> local_rows;     // [rank]: copies that stay where they are
    std::vector<std::int64_t> sent_rows;      // [rank]: copies packed, local ones included
    std::vector<std::int64_t> home_rows;      // [rank]: tokens with an expert on their own node; for dedup = node
    std::vector<std::int64_t> received_rows;  // [rank]: copies that arrive for its experts, local ones included
    std::vector<std::int64_t>
        forwarded_rows;                // [rank]: rows held for other ranks or for sending; counted for dedup = node
    Matrix<std::int64_t> assignments;  // [rank][expert]: rows that an expert computes there; 0 where it is not
    std::vector<std::int64_t> tokens;  // [rank]

    // Rows that the experts of a rank compute, one a token and expert.
    [[nodiscard]] std::int64_t computed_rows(std::size_t rank) const;
};

// Choices of the tokens of one data index in one chunk.
struct SourceChoices {
    std::size_t data = 0;
    std::span<const ExpertIndex> choices;  // [token][width], no_expert where there is none
    std::size_t width = 1;
};

// The same with the copies that the choices went to.
struct SourceCopies {
    std::size_t data = 0;
    std::span<const CopyIndex> copies;  // [token][width], no_copy where there is none
    std::size_t width = 1;
};

// Counts the exchange from per-token expert sets. With `rank`, a token whose experts share a GPU travels there once;
// with `node`, it travels to a node once, to the GPU that has the sender's place in its node, and is forwarded inside.
// Every rank of a tensor-parallel group sends full rows to its peer of the same tensor index (as DeepSpeed-MoE does).
// `chooser` says which copy of an expert a token goes to, and goes on from chunk to chunk.
Exchange count_exchange(std::span<const SourceChoices> sources, CopyChooser& chooser, Dedup dedup, const RankGrid& grid,
                        const Fabric& fabric);
// Of tokens whose copies are chosen.
Exchange count_exchange(std::span<const SourceCopies> sources, const LayerCopies& copies, Dedup dedup,
                        const RankGrid& grid, const Fabric& fabric);
// Of a micro-batch in one chunk.
Exchange count_exchange(std::span<const SourceChoices> sources, LayerId layer, Dedup dedup, const Placement& placement,
                        const RankGrid& grid, const Fabric& fabric, ReplicaPolicy policy = ReplicaPolicy::locality);

}  // namespace moesim
