#pragma once
// One timed call out of a table that somebody measured.
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/units.hpp"
#include "calibrate/measured_calls.hpp"

namespace moesim {

// A collective of NCCL; `bytes` is the buffer of a rank.
struct NcclRow {
    std::string op;  // "alltoall"
    std::string dtype;
    std::int64_t ranks = 0;
    Bytes bytes;
};

// How the tokens of a timed expert computation chose their experts.
struct ExpertLoadSpec {
    bool balanced = true;
    double exponent = 0;  // of the power law otherwise
    // What rounding leaves over is handed to the ranks in turn, each time to the rank's least loaded expert; else to
    // the least loaded of all.
    bool ranks_in_turn = true;
};

// The experts of one rank of an expert-parallel group.
struct ExpertRow {
    std::string op;           // "moe", "moe_context", "moe_generation"
    std::string framework;    // "vllm", in lower case
    std::string dtype;        // as the table has it: "bfloat16", "fp8_block"
    std::int64_t tokens = 0;  // over all ranks of the group
    std::int64_t hidden = 0, inner = 0, top_k = 0, experts = 0;
    std::int64_t tensor = 1, ranks = 1;  // that share one expert; of the group
    ExpertLoadSpec loads;
};

// A product [m x k] [k x n] of matrices.
struct GemmRow {
    std::string dtype;
    std::int64_t m = 0, n = 0, k = 0;
};

// `groups` such products at once, with m rows each.
struct GroupedGemmRow {
    std::string op;  // "up", "down"
    std::string dtype;
    std::int64_t groups = 0, m = 0, n = 0, k = 0;
};

// A dispatch or combine of DeepEP; the call's own machine, version and time are not used.
struct DeepEpRow {
    bool low_latency = false;
    DeepEpCall call;
};

struct MeasuredRow {
    std::size_t line = 0;  // in its file
    std::string device;    // as the table has it: "NVIDIA H100 80GB HBM3", or "h100_sxm"; empty: not stated
    std::string version;   // of the software: "nccl-2.27.3"; empty: not stated
    Seconds measured;
    std::variant<NcclRow, DeepEpRow, ExpertRow, GemmRow, GroupedGemmRow> call;
};

struct MeasuredTable {
    std::string file;
    std::string kind;  // "aiconfigurator moe"
    std::vector<MeasuredRow> rows;
};

}  // namespace moesim
