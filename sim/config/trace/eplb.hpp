#pragma once
// Loads of experts as EPLB takes them: "logical_count" of SGLang's expert distribution recorder
// (sglang/srt/eplb/expert_distribution.py), [layers][experts] or [steps][layers][experts], as JSON: under that key of
// an object, whose other keys are passed over, or the array alone.
#include <string>
#include <string_view>

#include "config/trace/trace.hpp"
#include "config/trace/trace_options.hpp"

namespace moesim {

// Steps are summed up. Throws InputError: "FILE: $.logical_count[0][3]: found ..., expected ...".
LoadTable read_eplb_load(std::string_view text, const std::string& file, const TraceOptions& options);

}  // namespace moesim
