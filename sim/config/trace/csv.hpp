#pragma once
// Routings as comma-separated values, a row a token and layer, in any order:
//   token,layer,e0,e1
//   0,0,12,45
// Tokens and layers count from 0, each pair comes exactly once, and -1 stands for no expert. The columns of experts
// give top_k. All tokens are of one source.
#include <string>
#include <string_view>

#include "config/trace/trace.hpp"
#include "config/trace/trace_options.hpp"

namespace moesim {

// Throws InputError: "FILE: line N: $.column: found ..., expected ...".
RoutingTrace read_csv_trace(std::string_view text, const std::string& file, const TraceOptions& options);

}  // namespace moesim
