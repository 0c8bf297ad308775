#pragma once
// What a reader of recorded routings may be told beside the file.
#include <cstddef>
#include <cstdint>
#include <optional>

namespace moesim {

enum class TraceFormat {
    by_content,
    npy,       // NumPy, integers [token][layer][top_k]
    megatron,  // Megatron-Core --moe-routing-trace-path, JSON lines
    vllm,      // responses of vLLM --enable-return-routed-experts
    sglang,    // responses of SGLang --enable-return-routed-experts
    eplb,      // "logical_count" as SGLang's expert distribution recorder counts it, for EPLB
    csv        // token,layer,e0,...
};

struct TraceOptions {
    TraceFormat format = TraceFormat::by_content;
    // Needed where the format does not state them (SGLang); held against the file everywhere else.
    std::optional<std::size_t> layers, top_k;
    std::optional<std::size_t> experts;  // of a layer: no id may reach it. Not stated: the largest id tells
};

// The largest trace that is read: file size, ids in all, and each of its dimensions.
inline constexpr std::size_t max_trace_bytes = std::size_t{2} << 30;
inline constexpr std::size_t max_trace_ids = std::size_t{1} << 31;
inline constexpr std::size_t max_trace_layers = 4096, max_trace_top_k = 256, max_trace_experts = 16384;

}  // namespace moesim
