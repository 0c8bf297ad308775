#pragma once
// What random numbers are drawn for. Each purpose has streams of its own, so that one more draw for one of them
// changes nothing elsewhere; the values are part of what a seed means, so they are never renumbered.
#include <cstdint>

namespace moesim::purpose {

inline constexpr std::uint64_t popularity_order = 1;
inline constexpr std::uint64_t routing = 2;
inline constexpr std::uint64_t hash_offset = 3;
inline constexpr std::uint64_t popularity_draw = 4;
inline constexpr std::uint64_t silent_experts = 5;
inline constexpr std::uint64_t hot_experts = 6;
inline constexpr std::uint64_t drift = 7;
inline constexpr std::uint64_t source_spread = 8;
inline constexpr std::uint64_t burst = 9;
inline constexpr std::uint64_t affinity = 10;
inline constexpr std::uint64_t source_tokens = 11;
inline constexpr std::uint64_t bias_batches = 12;
inline constexpr std::uint64_t null_experts = 13;
inline constexpr std::uint64_t skipped = 14;
inline constexpr std::uint64_t fit = 15;
inline constexpr std::uint64_t chance = 16;
inline constexpr std::uint64_t even_tokens = 17;

}  // namespace moesim::purpose
