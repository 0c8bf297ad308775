#pragma once
// The run as Chrome trace events, which Perfetto (ui.perfetto.dev) opens.
#include <string>

#include "engine/result.hpp"

namespace moesim {

// One process a GPU, one thread a stream, one slice a stage of a chunk, and an arrow for each message of an
// all-to-all. Beyond `max_arrows` messages the rest are left out, and otherData says how many.
// Format: "Trace Event Format", Google, 2016.
std::string chrome_trace(const Result& result, std::size_t max_arrows = 100'000);

}  // namespace moesim
