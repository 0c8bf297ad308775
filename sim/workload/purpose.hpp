#pragma once
// What random numbers are drawn for. Each purpose has streams of its own, so that one more draw for one of them
// changes nothing elsewhere; the values are part of what a seed means, so they are never renumbered.
#include <cstdint>

namespace moesim::purpose {

inline constexpr std::uint64_t popularity_order = 1;
inline constexpr std::uint64_t routing = 2;
inline constexpr std::uint64_t hash_offset = 3;

}  // namespace moesim::purpose
