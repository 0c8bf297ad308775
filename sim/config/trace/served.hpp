#pragma once
// Routings as inference servers return them with their answers (--enable-return-routed-experts):
// - vLLM: `choices[i].routed_experts`, base64 of a .npy [tokens][layers][top_k]
// (vllm/entrypoints/openai/*/protocol.py);
//   version 0.21 gave nested arrays, and those of the prompt apart, in `prompt_routed_experts`.
// - SGLang: `meta_info.routed_experts`, or `sglext.routed_experts` of the OpenAI endpoints, base64 of int32
//   [tokens][layers][top_k] without the shape (sglang/srt/state_capturer/routed_experts.py), which the options must
//   give.
// A text is one response, an array of them, or one a line. The key may also stand in the object itself. Null, which an
// aborted request has, is passed over. Each request is a source; the prompt's tokens open the first choice's.
#include <string>
#include <string_view>

#include "config/trace/trace.hpp"
#include "config/trace/trace_options.hpp"

namespace moesim {

// Each takes its own kind of payload. Throws InputError: "FILE: $.choices[0].routed_experts: found ..., expected ...".
RoutingTrace read_vllm_trace(std::string_view text, const std::string& file, const TraceOptions& options);
RoutingTrace read_sglang_trace(std::string_view text, const std::string& file, const TraceOptions& options);

// Takes both, and tells them apart by the payload: a .npy has its magic.
RoutingTrace read_served_trace(std::string_view text, const std::string& file, const TraceOptions& options);

}  // namespace moesim
