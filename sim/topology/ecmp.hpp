#pragma once
// Which of several equal paths a pair of GPUs takes.
#include <cstddef>
#include <cstdint>

#include "base/ids.hpp"
#include "base/random.hpp"

namespace moesim {

// One of `ways`, from 0: a hash of the pair, as switches hash a flow's addresses (RFC 2992). The same on every machine
// and in every run: mix64(from * 2^32 + to + 1), its upper 32 bits multiplied by `ways`, and of that what is above
// 2^32. `salt` tells choices apart that one route makes at different places.
inline std::size_t equal_path(RankId from, RankId to, std::size_t ways, std::uint64_t salt = 0) {
    const std::uint64_t pair = (std::uint64_t{from.value()} << 32) + to.value() + 1;
    const std::uint64_t hash = mix64(pair ^ mix64(salt)) >> 32;
    return static_cast<std::size_t>((hash * ways) >> 32);
}

}  // namespace moesim
