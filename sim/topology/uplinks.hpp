#pragma once
// The links between one level of switches of a tree and the next.
#include <fmt/format.h>

#include "topology/ecmp.hpp"
#include "topology/fabric_builder.hpp"

namespace moesim {

// `count` lower switches (or pods), each with `ways` links to upper ones, which together carry `spec`. Ids follow from
// the order: lower switch by lower switch, way by way, up and down.
class Uplinks {
  public:
    Uplinks() = default;
    // name(s): of a lower switch; lower(s, way) and upper(s, way): the vertices at a link's ends.
    template <class Name, class Lower, class Upper>
    Uplinks(FabricBuilder& builder, const LinkSpec& spec, std::size_t count, std::size_t ways, Name name, Lower lower,
            Upper upper)
        : first_(builder.links()), ways_(ways) {
        const LinkSpec one{spec.bandwidth * (1.0 / static_cast<double>(ways)), spec.latency};
        for (std::size_t s = 0; s < count; ++s)
            for (std::size_t w = 0; w < ways; ++w)
                builder.add_pair(ways == 1 ? name(s) + ".uplink" : fmt::format("{}.uplink{}", name(s), w),
                                 LinkClass::uplink, one, lower(s, w), upper(s, w));
    }
    [[nodiscard]] std::size_t ways() const { return ways_; }
    [[nodiscard]] LinkId up(std::size_t lower, std::size_t way) const {
        return LinkId(first_ + 2 * (lower * ways_ + way));
    }
    [[nodiscard]] LinkId down(std::size_t lower, std::size_t way) const {
        return LinkId(first_ + 2 * (lower * ways_ + way) + 1);
    }

  private:
    std::size_t first_ = 0, ways_ = 1;
};

}  // namespace moesim
