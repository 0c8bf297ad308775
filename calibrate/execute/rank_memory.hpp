#pragma once
// What a rank holds of a model and its micro-batches while the pipeline runs, in the backend's memory.
#include <vector>

#include "calibrate/execute/made_model.hpp"
#include "calibrate/execute/packed_rows.hpp"
#include "calibrate/execute/work_plan.hpp"
#include "kernels/backend.hpp"

namespace moesim {

// A chunk's tables of rows, in the backend's memory.
struct ChunkTables {
    kernels::Array<std::int32_t> pack_local, pack_sent, gather, sum, unpack, copies;
    kernels::Array<float> weights;
    std::int64_t copies_width = 1;
    std::vector<kernels::Array<std::int32_t>> back;  // [received message]: of nothing where a run goes back
};

// The weights of one layer.
struct LayerWeights {
    kernels::Matrix gate, gate_up, down, shared_gate_up, shared_down;
};

// The memory of one chunk of a micro-batch, used by layer after layer.
struct ChunkMemory {
    PackedRows sent, stored, forwarded;
    kernels::Matrix computed, results, unpacked;
    PackedRows sums, back;
};

// One micro-batch.
struct BatchMemory {
    kernels::Matrix tokens, moe, shared, logits;
    kernels::DispatchOrderView order;
    kernels::RankOrderView rank_order;
    kernels::Array<ExpertIndex> experts;
    kernels::Array<float> weights;
    std::vector<kernels::Array<std::int32_t>> orders;
};

struct RankMemory {
    std::vector<LayerWeights> weights;                 // [layer]
    std::vector<std::vector<kernels::Matrix>> logits;  // [layer][micro-batch]: that give the scenario's routing
    std::vector<std::vector<std::vector<ChunkTables>>> tables;       // [layer][micro-batch][chunk]
    std::vector<BatchMemory> batches;                                // [micro-batch]
    std::vector<std::vector<ChunkMemory>> chunks;                    // [micro-batch][chunk]
    std::vector<std::vector<kernels::Array<std::int32_t>>> rank_of;  // [layer][micro-batch]
};

// Uploads weights, logits and tables; the rest holds nothing yet. What it waits for is on `stream`. Throws
// DeviceLacking where memory is short.
RankMemory make_rank_memory(const WorkPlan& plan, const MadeModel& model, kernels::Backend& backend,
                            kernels::Stream& stream);

}  // namespace moesim
