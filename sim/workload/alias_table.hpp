#pragma once
// Draws from a discrete distribution in constant time.
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.hpp"

namespace moesim {

// Walker's alias method, built as by Vose (IEEE Trans. Software Eng. 17(9), 1991). Probabilities are kept to 2^-32.
class AliasTable {
  public:
    // weights: not empty, not negative, with a positive sum.
    explicit AliasTable(std::span<const double> weights);

    // An index, with probability proportional to its weight.
    [[nodiscard]] std::uint32_t draw(RandomStream& stream) const {
        const std::uint64_t r = stream.next();
        const auto slot = static_cast<std::uint32_t>(((r >> 32) * slots_.size()) >> 32);
        return (r & 0xffffffffU) < slots_[slot].keep ? slot : slots_[slot].alias;
    }

  private:
    struct Slot {
        std::uint64_t keep;  // the slot's own index is kept where 32 random bits are below this
        std::uint32_t alias;
    };
    std::vector<Slot> slots_;
};

}  // namespace moesim
