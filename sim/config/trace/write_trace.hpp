#pragma once
// RoutingTrace -> the formats that other programs read. The caller looks at the stream's state at the end.
#include <iosfwd>

#include "config/trace/trace.hpp"

namespace moesim {

// NumPy 1.0, C order, [tokens][layers][top_k]: uint16, or int16 with -1 where a place has no expert. The sources are
// not written.
void write_npy_trace(std::ostream& out, const RoutingTrace& trace);

// Megatron-Core's JSON lines, a record a source and layer: all of step 0, the sources as ranks 0, 1, ..., all layers of
// the decoder. megatron.hpp reads it back to the same value, but for the origin and a stated number of experts.
void write_megatron_trace(std::ostream& out, const RoutingTrace& trace);

}  // namespace moesim
