#include "network/collectives/ring.hpp"

namespace moesim {
namespace {

// `steps` messages of each rank to its neighbour `stride` places on; a step waits for the one before to arrive at its
// sender.
void add_steps(std::vector<Message>& all, std::span<const RankId> ranks, std::size_t stride, std::size_t steps,
               Bytes bytes) {
    const std::size_t n = ranks.size(), first = all.size();
    for (std::size_t s = 0; s < steps; ++s)
        for (std::size_t i = 0; i < n; ++i) {
            Message m;
            m.from = ranks[i];
            m.to = ranks[(i + stride) % n];
            m.bytes = bytes;
            if (s > 0) m.after.push_back(static_cast<std::uint32_t>(first + (s - 1) * n + (i + n - stride) % n));
            all.push_back(std::move(m));
        }
}

}  // namespace

std::vector<Message> ring_all_gather(std::span<const RankId> ranks, Bytes each) {
    std::vector<Message> all;
    add_steps(all, ranks, 1, ranks.size() - 1, each);
    return all;
}

std::vector<Message> ring_all_reduce(std::span<const RankId> ranks, Bytes bytes) {
    const auto n = static_cast<std::int64_t>(ranks.size());
    std::vector<Message> all;
    add_steps(all, ranks, 1, 2 * (ranks.size() - 1), Bytes((bytes.value() + n - 1) / n));
    return all;
}

std::vector<Message> two_way_ring_exchange(std::span<const RankId> ranks, Bytes block) {
    const std::size_t others = ranks.size() - 1;
    std::vector<Message> all;
    add_steps(all, ranks, 1, (others + 1) / 2, block);
    add_steps(all, ranks, ranks.size() - 1, others / 2, block);
    return all;
}

}  // namespace moesim
