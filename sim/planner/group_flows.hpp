#pragma once
// What the rows of an expert-parallel group put on links, with links that always carry the same taken as one.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "network/message.hpp"
#include "topology/fabric.hpp"
#include "traffic/grid.hpp"

namespace moesim {

// A flow is a number of rows: those that source s has for position q, and, where one copy of a token goes to a node,
// those that s has for node n. Every tensor index of every group has the same flows at the same time, so that a link
// that groups share carries each of them. (Where the groups of a scenario lie on nodes unlike the first one, forwarding
// is taken to go as in the first.)
class GroupFlows {
  public:
    struct Share {
        std::uint32_t link = 0;  // of this class
        std::int32_t times = 1;  // rows on it for each of the flow
    };

    GroupFlows(const RankGrid& grid, const Fabric& fabric, const MessageModel& messages, Dedup dedup);

    [[nodiscard]] std::size_t positions() const { return node_.size(); }
    [[nodiscard]] std::size_t nodes() const { return nodes_; }
    [[nodiscard]] std::size_t node(std::size_t position) const { return node_[position]; }  // from 0, in their order
    [[nodiscard]] std::size_t flows() const { return begin_.size() - 1; }
    [[nodiscard]] std::size_t to_position(std::size_t s, std::size_t q) const { return s * positions() + q; }
    [[nodiscard]] std::size_t to_node(std::size_t s, std::size_t n) const {
        return positions() * positions() + s * nodes_ + n;
    }
    [[nodiscard]] std::span<const Share> shares(std::size_t flow) const {
        return std::span(shares_).subspan(begin_[flow], begin_[flow + 1] - begin_[flow]);
    }
    // [link]: seconds for a byte on the narrowest of the links that it stands for, on the way out and on the way back;
    // 0 where there is none.
    [[nodiscard]] const std::vector<double>& out() const { return out_; }
    [[nodiscard]] const std::vector<double>& back() const { return back_; }
    // The longest start-up of a message between two ranks of the first group.
    [[nodiscard]] Seconds start_up() const { return start_up_; }

  private:
    std::vector<std::size_t> node_;  // [position]
    std::size_t nodes_ = 0;
    std::vector<std::uint32_t> begin_;  // [flow]
    std::vector<Share> shares_;
    std::vector<double> out_, back_;  // [link]
    Seconds start_up_;
};

}  // namespace moesim
