#pragma once
// In which order a rank's messages go that it may begin at once.
#include <cstddef>

#include "base/ids.hpp"

namespace moesim {

// Where `to` comes among those that `from` sends to at once: every rank begins with the one after it. Were all to begin
// with the same one, its links would be busy first and others idle.
inline std::size_t turn_of(RankId from, RankId to, std::size_t ranks) {
    return (to.value() + ranks - from.value()) % ranks;
}

}  // namespace moesim
