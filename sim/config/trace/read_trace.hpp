#pragma once
// A file of recorded routings, of any of the formats, -> its value.
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

#include "config/trace/trace.hpp"
#include "config/trace/trace_options.hpp"

namespace moesim {

using RecordedRouting = std::variant<RoutingTrace, LoadTable>;

// The format is told by the content, never by the name, unless the options state it. Throws InputError, naming the
// file, where it cannot be read, is larger than max_trace_bytes, is of no known format or is broken.
RecordedRouting read_trace(const std::filesystem::path& path, const TraceOptions& options);

// A routing of each token. Throws as read_trace() does, and where the file holds loads alone.
RoutingTrace read_token_trace(const std::filesystem::path& path);

// The same as read_trace() for a file's content; `file` is its name in messages and its value's origin.
RecordedRouting parse_trace(std::string_view bytes, const std::string& file, const TraceOptions& options);

}  // namespace moesim
