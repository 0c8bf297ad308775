#include "network/library/nccl_call.hpp"

#include <algorithm>

#include "network/library/own_message.hpp"

namespace moesim {

NcclLibraryCall::NcclLibraryCall(const NcclProfile& nccl, Algorithm algorithm, Direction direction, Bytes row,
                                 const RankGrid& grid, const Fabric& fabric)
    : nccl_(nccl), two_levels_(algorithm == Algorithm::hierarchical), inside_first_(direction == Direction::dispatch),
      row_(row), grid_(grid), fabric_(fabric) {
    for (std::size_t r = 0; r < grid.ranks(); ++r) {
        const RankId rank(r);
        const std::size_t first = grid.group_begin(grid.data_of(rank));
        std::size_t on_node = 0, nodes = 0;
        for (std::size_t d = first; d < first + grid.expert(); ++d) {
            const NodeId node = fabric.node_of(grid.rank(d, 0));
            if (node == fabric.node_of(rank)) ++on_node;
            // Ranks of a node follow each other.
            if (d == first || node != fabric.node_of(grid.rank(d - 1, 0))) ++nodes;
        }
        on_node_.push_back(on_node);
        nodes_.push_back(nodes);
    }
}

std::vector<NcclLibraryCall::Step> NcclLibraryCall::steps(const std::vector<Message>& messages) const {
    if (!two_levels_) return {{0, messages.size(), std::vector<std::size_t>(grid_.ranks(), grid_.expert())}};
    const auto begins_second = [&](const Message& m) { return fabric_.crosses_nodes(m.from, m.to) == inside_first_; };
    const auto middle =
        static_cast<std::size_t>(std::find_if(messages.begin(), messages.end(), begins_second) - messages.begin());
    return {{0, middle, inside_first_ ? on_node_ : nodes_},
            {middle, messages.size(), inside_first_ ? nodes_ : on_node_}};
}

CallMessages NcclLibraryCall::carry(std::vector<Message> messages, const Exchange& exchange) const {
    const std::size_t ranks = grid_.ranks();
    CallMessages c;
    c.start_up.resize(ranks);
    c.least.resize(ranks);
    // What each rank has to send on, its own part included.
    const std::vector<std::int64_t>& rows = inside_first_ ? exchange.sent_rows : exchange.received_rows;
    std::vector<Bytes> held;
    held.reserve(ranks);
    for (const std::int64_t n : rows) held.push_back(row_ * n);
    std::vector<std::vector<std::uint32_t>> arrived(ranks);
    std::vector<Message> own;
    bool first = true;
    for (const Step& step : steps(messages)) {
        std::vector<Bytes> sent(ranks), got(ranks);
        for (std::size_t i = step.first; i < step.end; ++i) {
            sent[messages[i].from.value()] += messages[i].bytes;
            got[messages[i].to.value()] += messages[i].bytes;
        }
        std::vector<Seconds> start_up(ranks);
        for (std::size_t r = 0; r < ranks; ++r) {
            if (step.members[r] > 1) start_up[r] = nccl_start_up(nccl_, step.members[r], held[r]);
            const Bytes stays = held[r] - sent[r];
            const std::size_t before = own.size();
            if (step.members[r] > 1) add_own_message(own, r, nccl_own_on_links(nccl_, stays));
            if (own.size() > before) {
                own.back().delay = nccl_message_start_up(nccl_, stays);
                own.back().after = arrived[r];
                if (!first) own.back().delay += start_up[r];
            }
            held[r] = stays + got[r];
        }
        for (std::size_t i = step.first; i < step.end; ++i) {
            Message& m = messages[i];
            m.delay += nccl_message_start_up(nccl_, m.bytes);
            // What waits for a message of its own step waits for a place in the window: the call is under way.
            const bool begins = std::none_of(m.after.begin(), m.after.end(),
                                             [&](std::uint32_t before) { return before >= step.first; });
            if (!first && begins) m.delay += start_up[m.from.value()];
            m.bytes = nccl_on_links(nccl_, m.bytes);
            arrived[m.to.value()].push_back(static_cast<std::uint32_t>(i));
        }
        if (first) c.start_up = std::move(start_up);
        first = false;
    }
    c.messages = std::move(messages);
    c.messages.insert(c.messages.end(), own.begin(), own.end());
    return c;
}

}  // namespace moesim
