#include "network/collectives/tree.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace moesim {
namespace {

// The parent of a place from 1 in a binary tree over the places 1 .. n - 1 in order, whose root hangs below place 0.
// The lowest bit that is set gives a place's height, so odd places are leaves.
std::size_t parent_of(std::size_t place, std::size_t n) {
    const std::size_t low = place & (~place + 1);
    const std::size_t up = (place & (low << 1)) != 0 ? place - low : place + low;
    return up < n ? up : place - low;
}

// One half's way through one tree. `at` says which rank has which place.
class HalfTree {
  public:
    HalfTree(std::vector<RankId> at, std::vector<Message>& all) : at_(std::move(at)), all_(all), arrived_(at_.size()) {
        for (std::size_t p = 1; p < at_.size(); ++p) children(parent_of(p, at_.size())).push_back(p);
        order(0);
        upward_.assign(order_.rbegin(), order_.rend());
        up_.resize(at_.size());
        down_.resize(at_.size());
    }

    // Sends one more piece up and down.
    void send(Bytes bytes) {
        for (auto& a : arrived_) a.clear();
        for (const std::size_t p : upward_)
            if (p != 0) pass_on(p, parent_of(p, at_.size()), bytes, up_[p]);
        for (const std::size_t p : order_)
            if (p != 0) pass_on(parent_of(p, at_.size()), p, bytes, down_[p]);
    }

  private:
    std::vector<std::size_t>& children(std::size_t p) {
        if (children_.size() < at_.size()) children_.resize(at_.size());
        return children_[p];
    }
    void order(std::size_t p) {  // parents before children
        order_.push_back(p);
        for (const std::size_t c : children(p)) order(c);
    }
    // A piece waits for what its sender got of it and for the piece before on the same way.
    void pass_on(std::size_t from, std::size_t to, Bytes bytes, std::vector<std::uint32_t>& before) {
        Message m;
        m.from = at_[from];
        m.to = at_[to];
        m.bytes = bytes;
        m.after = arrived_[from];
        if (!before.empty()) m.after.push_back(before.back());
        const auto id = static_cast<std::uint32_t>(all_.size());
        before.assign(1, id);
        arrived_[to].push_back(id);
        all_.push_back(std::move(m));
    }

    std::vector<RankId> at_;  // [place]
    std::vector<Message>& all_;
    std::vector<std::vector<std::uint32_t>> arrived_;    // [place]: of the present piece
    std::vector<std::vector<std::size_t>> children_;     // [place]
    std::vector<std::size_t> order_, upward_;            // places, parents before children and the other way around
    std::vector<std::vector<std::uint32_t>> up_, down_;  // [place]: the last message from or to its parent
};

Bytes part(Bytes bytes, std::int64_t parts) { return Bytes((bytes.value() + parts - 1) / parts); }

}  // namespace

std::vector<Message> tree_all_reduce(std::span<const RankId> ranks, Bytes bytes, std::int64_t pieces) {
    const std::size_t n = ranks.size();
    std::vector<Message> all;
    std::vector<RankId> forth(ranks.begin(), ranks.end()), back(n);
    // The other tree: where n is even the places the other way around, so that leaves and inner places change; where n
    // is odd one place on.
    for (std::size_t p = 0; p < n; ++p) back[p] = ranks[n % 2 == 0 ? n - 1 - p : (p + 1) % n];
    HalfTree first(std::move(forth), all), second(std::move(back), all);
    const Bytes piece = part(part(bytes, 2), pieces);
    for (std::int64_t k = 0; k < pieces; ++k) {
        first.send(piece);
        second.send(piece);
    }
    return all;
}

std::int64_t best_pieces(std::size_t ranks, Bytes bytes, Seconds startup, BytesPerSecond rate) {
    constexpr double most = 16;
    const auto depth = static_cast<double>(std::bit_width(ranks - 1));
    const double transfer = (bytes / rate).value() / 2;
    if (startup <= Seconds{}) return static_cast<std::int64_t>(most);
    return static_cast<std::int64_t>(
        std::clamp(std::round(std::sqrt((2 * depth - 1) * transfer / startup.value())), 1.0, most));
}

std::vector<Message> bruck_all_gather(std::span<const RankId> ranks, Bytes each) {
    const std::size_t n = ranks.size();
    std::vector<Message> all;
    std::vector<std::vector<std::uint32_t>> arrived(n);
    for (std::size_t have = 1; have < n; have *= 2) {
        const auto first = static_cast<std::uint32_t>(all.size());
        for (std::size_t i = 0; i < n; ++i) {
            Message m;
            m.from = ranks[i];
            m.to = ranks[(i + n - have) % n];
            m.bytes = each * static_cast<std::int64_t>(std::min(have, n - have));
            m.after = arrived[i];
            all.push_back(std::move(m));
        }
        for (std::uint32_t i = 0; i < n; ++i) arrived[(i + n - have) % n].push_back(first + i);
    }
    return all;
}

}  // namespace moesim
