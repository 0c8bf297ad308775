#pragma once
// The ten stages of an MoE layer, in the order in which a token meets them.
#include <array>
#include <cstddef>
#include <string_view>

namespace moesim {

enum class Stage : unsigned char {
    attention,  // with the dense part
    gate,
    select,
    pack,
    dispatch,  // network
    expert,
    return_,  // network
    unpack,
    combine,
    residual,
};

inline constexpr std::size_t stage_count = 10;
inline constexpr std::array<std::string_view, stage_count> stage_names = {
    "attention", "gate", "select", "pack", "dispatch", "expert", "return", "unpack", "combine", "residual"};

constexpr std::string_view name(Stage s) { return stage_names[static_cast<std::size_t>(s)]; }

}  // namespace moesim
