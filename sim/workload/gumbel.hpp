#pragma once
// Noise for logits.
#include <algorithm>
#include <cmath>

#include "base/random.hpp"

namespace moesim {

// Exponential with mean 1.
inline float exponential(RandomStream& stream) {
    // In (0, 1]; the upper 24 bits, which a float holds exactly.
    const float u = 1.0F - static_cast<float>(stream.next() >> 40) * 0x1p-24F;
    return -std::log(u);
}

// Standard Gumbel: -log of an exponential. Both tails end where 2^-24 does.
inline float gumbel(RandomStream& stream) { return -std::log(std::max(exponential(stream), 0x1p-25F)); }

}  // namespace moesim
