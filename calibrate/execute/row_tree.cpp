#include "calibrate/execute/row_tree.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/error.hpp"
#include "network/alltoall/node_members.hpp"

namespace moesim {
namespace {

class Grower {
  public:
    Grower(const DispatchSpec& dispatch, const Exchange& exchange, std::span<const Message> messages,
           const RankGrid& grid, const Fabric& fabric)
        : dispatch_(dispatch), grid_(grid), fabric_(fabric), members_(grid, fabric) {
        for (std::uint32_t i = 0; i < messages.size(); ++i) {
            // Deduplicated by node, a rank may send to another one both rows of its own and rows that it forwards:
            // there messages are the exchange's hops. Elsewhere there is one message from rank to rank.
            const bool forwards = dispatch.dedup == Dedup::node && exchange.hops[i].after != Hop::none;
            if (forwards)
                forwarding_[{static_cast<std::uint32_t>(exchange.hops[i].after), messages[i].to}] = i;
            else
                sending_[{messages[i].from, messages[i].to}] = i;
            if (!forwards && dispatch.dedup == Dedup::node && fabric.crosses_nodes(messages[i].from, messages[i].to))
                to_node_[{messages[i].from, fabric.node_of(messages[i].to)}] = i;
        }
        for (const Message& m : messages) receiver_.push_back(m.to);
    }

    void add(const SourceCopies& source, const LayerCopies& copies) {
        const RankId home = grid_.rank(source.data, 0);
        const std::size_t group = grid_.group_begin(source.data);
        for (std::size_t first = 0; first < source.copies.size(); first += source.width) {
            token_ = {home, static_cast<std::uint32_t>(source.data), static_cast<std::uint32_t>(first / source.width),
                      RowNode::none, RowNode::none};
            own_.clear();
            for (std::size_t place = 0; place < source.width; ++place) {
                const CopyIndex copy = source.copies[first + place];
                if (copy == no_copy) continue;
                const RankId to = grid_.rank(group + copies.position(copy), 0);
                tree_.assignments.push_back(
                    {copy_at(to), static_cast<ExpertIndex>(copies.expert(copy)), static_cast<std::uint32_t>(place)});
            }
        }
    }
    RowTree take() { return std::move(tree_); }

  private:
    // The token's copy on a rank, made where there is none yet or every choice has its own.
    std::uint32_t copy_at(RankId to) {
        if (dispatch_.dedup != Dedup::none)
            for (const auto& [rank, node] : own_)
                if (rank == to) return node;
        const std::uint32_t node = make(to);
        own_.emplace_back(to, node);
        return node;
    }

    std::uint32_t make(RankId to) {
        const RankId home = token_.at;
        if (to == home) return push(home, RowNode::none, RowNode::none);
        if (dispatch_.dedup == Dedup::node && fabric_.crosses_nodes(home, to)) return make_by_node(to);
        if (dispatch_.algorithm != Algorithm::hierarchical) return push(to, RowNode::none, sending(home, to));
        const RankId over = members_.like(home, to);
        std::uint32_t parent = RowNode::none;
        if (over != home) parent = push(over, RowNode::none, sending(home, over));
        return over == to ? parent : push(to, parent, sending(over, to));
    }

    // One copy to the node, and from the rank that gets it on to others.
    std::uint32_t make_by_node(RankId to) {
        const auto found = to_node_.find({token_.at, fabric_.node_of(to)});
        if (found == to_node_.end()) lacking(token_.at, to);
        const std::uint32_t message = found->second;
        const RankId proxy = receiver_[message];
        std::uint32_t parent = RowNode::none;
        for (const auto& [rank, node] : own_)
            if (rank == proxy) parent = node;
        if (parent == RowNode::none) {
            parent = push(proxy, RowNode::none, message);
            own_.emplace_back(proxy, parent);
        }
        if (to == proxy) return parent;
        const auto forwarded = forwarding_.find({message, to});
        if (forwarded == forwarding_.end()) lacking(proxy, to);
        return push(to, parent, forwarded->second);
    }

    std::uint32_t push(RankId at, std::uint32_t parent, std::uint32_t message) {
        RowNode node = token_;
        node.at = at;
        node.parent = parent;
        node.message = message;
        tree_.nodes.push_back(node);
        return static_cast<std::uint32_t>(tree_.nodes.size() - 1);
    }
    [[nodiscard]] std::uint32_t sending(RankId from, RankId to) const {
        const auto found = sending_.find({from, to});
        if (found == sending_.end()) lacking(from, to);
        return found->second;
    }
    [[noreturn]] static void lacking(RankId from, RankId to) {
        throw InternalError(fmt::format("no message takes rows from rank {} to rank {}", from.value(), to.value()));
    }

    const DispatchSpec& dispatch_;
    const RankGrid& grid_;
    const Fabric& fabric_;
    NodeMembers members_;
    std::map<std::pair<RankId, RankId>, std::uint32_t> sending_;            // rows of the sender's own, or staged ones
    std::map<std::pair<RankId, NodeId>, std::uint32_t> to_node_;            // dedup = node: to another node
    std::map<std::pair<std::uint32_t, RankId>, std::uint32_t> forwarding_;  // dedup = node: what a message brought, on
    std::vector<RankId> receiver_;                                          // [message]
    RowNode token_;                                                         // the token at hand, on its own rank
    std::vector<std::pair<RankId, std::uint32_t>> own_;                     // its copies so far
    RowTree tree_;
};

}  // namespace

RowTree rows_of(std::span<const SourceCopies> sources, const LayerCopies& copies, const DispatchSpec& dispatch,
                const Exchange& exchange, std::span<const Message> messages, Bytes row, const RankGrid& grid,
                const Fabric& fabric) {
    Grower grower(dispatch, exchange, messages, grid, fabric);
    for (const SourceCopies& source : sources) grower.add(source, copies);
    RowTree tree = grower.take();
    std::vector<std::int64_t> rows(messages.size());
    for (const RowNode& node : tree.nodes)
        if (node.message != RowNode::none) ++rows[node.message];
    for (std::size_t i = 0; i < messages.size(); ++i)
        if (row * rows[i] != messages[i].bytes)
            throw InternalError(fmt::format("a message from rank {} to rank {} has {} rows, but {} bytes of {} a row",
                                            messages[i].from.value(), messages[i].to.value(), rows[i],
                                            messages[i].bytes.value(), row.value()));
    return tree;
}

}  // namespace moesim
