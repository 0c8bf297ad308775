#pragma once
#include <array>
#include <string_view>

namespace moesim {

// moesim.placement/1; the maps that DeepSeek's EPLB returns (deepseek-ai/EPLB, eplb.py: phy2log, log2phy, logcnt); the
// file that SGLang's --init-expert-location names (sglang/srt/eplb/expert_location.py); vLLM-Ascend's expert map
// (vllm-project/vllm-ascend, expert_load_balancer.py).
enum class PlacementFormat : unsigned char { moesim, eplb, sglang, vllm_ascend };
inline constexpr std::array<std::string_view, 4> placement_format_names = {"moesim", "eplb", "sglang", "vllm-ascend"};

}  // namespace moesim
