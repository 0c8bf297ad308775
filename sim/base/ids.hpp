#pragma once
// Identities. Each is an index from 0 into the array of its kind; the types keep one from passing for another.
#include <compare>
#include <cstddef>
#include <cstdint>

namespace moesim {

template <class Tag>
class Id {
  public:
    constexpr Id() = default;
    constexpr explicit Id(std::size_t v) : value_(static_cast<std::uint32_t>(v)) {}
    [[nodiscard]] constexpr std::size_t value() const { return value_; }
    constexpr auto operator<=>(const Id&) const = default;

  private:
    std::uint32_t value_ = 0;
};

using RankId = Id<struct RankTag>;  // a rank is a GPU (or a CPU slot)
using NodeId = Id<struct NodeTag>;
using LayerId = Id<struct LayerTag>;
using LinkId = Id<struct LinkTag>;

using ExpertIndex = std::uint16_t;                // an expert of one layer; the parser admits 16,384 at most
inline constexpr ExpertIndex no_expert = 0xffff;  // a place without one: dropped, skipped, or fewer than the others

}  // namespace moesim
