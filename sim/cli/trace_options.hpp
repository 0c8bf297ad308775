#pragma once
// Options of the commands that read a recorded routing.
#include <string>

#include "config/trace/trace_options.hpp"

namespace CLI {
class App;
}

namespace moesim {

// Adds --format, --layers, --top-k and --experts, which write into `options`; it has to live until they are parsed.
void add_trace_options(CLI::App& command, TraceOptions& options);

}  // namespace moesim
