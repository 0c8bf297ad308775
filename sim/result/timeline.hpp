#pragma once
// What each stream of each GPU did when.
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "engine/result.hpp"

namespace moesim {

// One stage of one chunk on one stream, with a beginning and an end.
struct Slice {
    Label label;
    Seconds start, finish;
    Bytes sent;  // collectives
};

// All slices that take time, in the order of their rank, stream and start.
std::vector<Slice> slices(const Result& result);

// {"columns": [...], "ranks": [...], "rows": [[rank, stream, stage, layer, micro_batch, chunk, start_s, finish_s]]} of
// at most 64 ranks, evenly chosen.
nlohmann::ordered_json timeline_json(const Result& result);

// "compute", "dispatch", "return", "tensor"
std::string_view name(Stream stream);

}  // namespace moesim
