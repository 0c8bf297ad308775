#pragma once
// Routings in a NumPy array of integers [token][layer][top_k].
#include <string>
#include <string_view>

#include "config/trace/trace_builder.hpp"

namespace moesim {

// `bytes` is a whole .npy file. All tokens are of one source. Throws InputError, naming `file`.
RoutingTrace read_npy_trace(std::string_view bytes, const std::string& file, const TraceOptions& options);

// The same for an array inside of something else, at `where`; it continues the open source.
void add_npy(TraceBuilder& builder, std::string_view bytes, const std::string& where);

}  // namespace moesim
