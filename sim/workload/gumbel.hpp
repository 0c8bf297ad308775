#pragma once
// Noise for logits.
#include <span>

#include "base/float_math.hpp"
#include "base/random.hpp"

namespace moesim {

// In (0, 1], a multiple of 2^-24, from 24 random bits.
inline float unit_interval(std::uint64_t bits) {
    return 1.0F - static_cast<float>(static_cast<std::int32_t>(bits)) * 0x1p-24F;
}

// Exponential with mean 1, of such a number.
inline float exponential(float u) { return -float_log(u); }
inline float exponential(RandomStream& stream) { return exponential(unit_interval(stream.next() >> 40)); }

// Standard Gumbel is -log of an exponential one. The exponential stands for an interval of uniform numbers that is
// 2^-24 wide: it is taken in the middle, and so is never 0.
inline float to_gumbel(float exponential) { return -float_log(exponential + 0x1p-25F); }
inline float gumbel(RandomStream& stream) { return to_gumbel(exponential(stream)); }

// Adds independent standard Gumbel noise to each; two of them share a number of the stream, of which they take the
// upper 24 bits of either half.
void add_gumbel(RandomStream& stream, std::span<float> logits);

}  // namespace moesim
