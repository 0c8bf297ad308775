#include "network/alltoall/pairwise.hpp"

#include <algorithm>

#include "network/alltoall/window.hpp"

namespace moesim {

std::size_t round_of(const RankGrid& grid, RankId from, RankId to) {
    return (grid.data_of(to) + grid.expert() - grid.data_of(from)) % grid.expert();
}

std::vector<Message> PairwiseAllToAll::messages(const Exchange& exchange, Bytes row) const {
    std::vector<Message> all = dispatch_messages(exchange, row);
    std::sort(all.begin(), all.end(), [&](const Message& a, const Message& b) {
        const std::size_t round_a = round_of(grid_, a.from, a.to), round_b = round_of(grid_, b.from, b.to);
        return round_a != round_b ? round_a < round_b : a.from < b.from;
    });
    return all;
}

void PairwiseAllToAll::hold_back(std::vector<Message>& messages) const {
    keep_to_window(messages, window_, grid_.ranks());
}

}  // namespace moesim
