#pragma once
// Which rows an exchange consists of: every copy of a token's activations, from where it comes, and what is computed on
// it. The simulator counts rows; whoever really sends them has to name them.
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "config/dispatch_spec.hpp"
#include "topology/fabric.hpp"
#include "traffic/exchange.hpp"
#include "traffic/messages.hpp"

namespace moesim {

// A copy of a token's activations on a rank.
struct RowNode {
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    RankId at;
    std::uint32_t source = 0;      // data index that the token comes from
    std::uint32_t token = 0;       // of that source's tokens in the chunk
    std::uint32_t parent = none;   // the copy that it was made of; none: the token itself
    std::uint32_t message = none;  // that brought it; none: it never left the token's rank
};

// One choice of a token, computed on a copy.
struct Assignment {
    std::uint32_t node = 0;
    ExpertIndex expert = 0;
    std::uint32_t place = 0;  // of the token's choices
};

// All copies of one chunk. The sum over a token's choices is formed from the leaves up: each copy adds up what its rank
// computed on it and what came back for the copies that were made of it.
struct RowTree {
    std::vector<RowNode> nodes;           // a node comes after its parent
    std::vector<Assignment> assignments;  // by source, token and place
};

// The rows of the messages that an all-to-all sends for an exchange. `messages` are those of AllToAll::dispatch for
// `exchange`, which was counted from the same sources and copies. Without tensor parallelism. Throws InternalError
// where messages and rows do not agree; `row` is the size that messages were made with.
RowTree rows_of(std::span<const SourceCopies> sources, const LayerCopies& copies, const DispatchSpec& dispatch,
                const Exchange& exchange, std::span<const Message> messages, Bytes row, const RankGrid& grid,
                const Fabric& fabric);

}  // namespace moesim
