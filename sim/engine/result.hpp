#pragma once
// What a simulation yields: every task with its times, and what was counted on the way. Metrics are derived from it.
#include <array>
#include <memory>
#include <vector>

#include "base/matrix.hpp"
#include "engine/memory_layout.hpp"
#include "engine/plan.hpp"
#include "engine/run_tasks.hpp"
#include "engine/task_graph.hpp"
#include "network/alltoall/all_to_all.hpp"
#include "network/ways.hpp"

namespace moesim {

// Routing of one MoE layer over the whole batch.
struct LayerLoad {
    std::vector<std::int64_t> expert_tokens;  // [expert]: rows computed, dropped ones left out
    std::vector<std::int64_t> rank_tokens;    // [rank]
    std::int64_t chosen = 0;                  // token-expert choices before any drop
    std::int64_t dropped = 0;
};

// What crosses the fabric for one purpose.
struct Volume {
    Bytes bytes;
    std::int64_t messages = 0;
    std::int64_t calls = 0;                           // dispatch and return: exchanges, of all groups together
    std::array<Bytes, link_class_count> class_bytes;  // [link class]: of messages whose route has a link of it
};

// What crosses the fabric; copies that stay on their GPU are not among it.
struct NetworkTraffic {
    Volume dispatch, return_, tensor;
    Volume context;                     // keys and values that ranks gather where tokens move
    Bytes inside_nodes, between_nodes;  // together the bytes of the four above
};

struct Result {
    explicit Result(Plan p) : plan(std::move(p)) {}

    Plan plan;  // its fabric has the links of a library's calls after the cluster's own
    std::shared_ptr<const Ways> ways;
    TaskGraph graph;
    std::vector<TaskTime> times;    // [task]
    std::vector<LayerLoad> layers;  // [layer]
    NetworkTraffic traffic;
    std::vector<Bytes> link_bytes;              // [link]
    std::vector<BytesPerSecond> link_capacity;  // [link], usable
    Matrix<std::int64_t> rank_bytes;            // [from][to]
    std::vector<MemoryLayout> memory;           // [rank]
    NetworkReport network;
    Launches launches;  // of a rank in one dispatch and one return
};

}  // namespace moesim
