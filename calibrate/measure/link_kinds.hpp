#pragma once
// Whose figures of a profile a message's route takes, as network/message.hpp has it.
#include <array>
#include <cstddef>
#include <vector>

#include "calibrate/fit.hpp"
#include "config/profile.hpp"
#include "topology/fabric.hpp"

namespace moesim {

enum class LinkKind : unsigned char { nvlink, pcie, nic };
inline constexpr std::array<const char*, 3> link_kind_names = {"nvlink", "pcie", "nic"};  // [LinkKind]
constexpr const char* name(LinkKind kind) { return link_kind_names[static_cast<std::size_t>(kind)]; }

LinkKind link_kind(const Fabric& fabric, RankId from, RankId to);

// Of a Profile or a const one, which has figures for PCIe where they are asked for.
template <class P>
auto& links_of(P& profile, LinkKind kind) {
    if (kind == LinkKind::pcie) return *profile.pcie;
    return kind == LinkKind::nvlink ? profile.nvlink : profile.nic;
}

// Their efficiency, from 0.001 to max_link_efficiency, and overhead, from a nanosecond to a second.
std::vector<Figure> link_figures(LinkKind kind);

}  // namespace moesim
