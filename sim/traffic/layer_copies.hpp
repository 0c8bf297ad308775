#pragma once
// The copies of one layer's experts, as one list.
#include <cstdint>
#include <vector>

#include "base/ids.hpp"
#include "placement/placement.hpp"

namespace moesim {

using CopyIndex = std::uint32_t;
inline constexpr CopyIndex no_copy = 0xffff'ffff;  // a place without an expert

// Expert by expert, each at its positions in ascending order. Several copies at one position are one entry with their
// number as its weight. Where no expert is at several positions, the index of a copy is that of its expert.
class LayerCopies {
  public:
    LayerCopies(const Placement& placement, LayerId layer);

    [[nodiscard]] std::size_t size() const { return position_.size(); }
    [[nodiscard]] std::size_t experts() const { return first_.size() - 1; }
    [[nodiscard]] std::size_t position(CopyIndex copy) const { return position_[copy]; }
    [[nodiscard]] std::size_t expert(CopyIndex copy) const { return expert_[copy]; }
    [[nodiscard]] std::size_t weight(CopyIndex copy) const { return weight_[copy]; }
    // An expert's copies are first(expert) to first(expert + 1).
    [[nodiscard]] CopyIndex first(std::size_t expert) const { return first_[expert]; }
    // Whether some expert is at several positions.
    [[nodiscard]] bool replicated() const { return size() > experts(); }

  private:
    std::vector<std::uint32_t> position_, weight_;  // [copy]
    std::vector<ExpertIndex> expert_;               // [copy]
    std::vector<CopyIndex> first_;                  // [expert], and the end
};

}  // namespace moesim
