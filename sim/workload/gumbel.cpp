#include "workload/gumbel.hpp"

#include <algorithm>
#include <array>

namespace moesim {
namespace {

constexpr std::size_t chunk = 256;

}  // namespace

// One loop a step, over arrays that cannot overlap, so that all but the first are vector code.
void add_gumbel(RandomStream& stream, std::span<float> logits) {
    std::array<float, chunk> noise;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled before it is read
    while (!logits.empty()) {
        const std::size_t count = std::min(logits.size(), chunk);
        for (std::size_t i = 0; i < count; i += 2) {
            const std::uint64_t bits = stream.next();
            noise[i] = unit_interval(bits >> 40);
            noise[i + 1] = unit_interval((bits >> 8) & 0xffffff);
        }
        for (std::size_t i = 0; i < count; ++i) noise[i] = exponential(noise[i]);
        for (std::size_t i = 0; i < count; ++i) noise[i] = to_gumbel(noise[i]);
        for (std::size_t i = 0; i < count; ++i) logits[i] += noise[i];
        logits = logits.subspan(count);
    }
}

}  // namespace moesim
