#pragma once
// What a person or a program wants to know of a run, derived from its tasks and counts.
#include <array>
#include <vector>

#include "base/stage.hpp"
#include "engine/result.hpp"
#include "workload/load.hpp"

namespace moesim {

// Time that a stage takes on a rank: the sum over layers, micro-batches and chunks. A network stage counts from the
// moment a rank may send until all that it sends and receives has arrived.
struct StageMetrics {
    std::vector<Seconds> per_rank;  // [rank]
    Seconds mean;
    Seconds slowest;
    RankId slowest_rank;
    Seconds critical_path;  // its share of the chain of tasks that determines the makespan
};

struct LayerMetrics {
    LoadBalance experts;   // over all experts of the layer
    LoadBalance ranks;     // over the ranks that hold them
    double drop_rate = 0;  // dropped choices over all choices
};

struct LinkUse {
    LinkId link;
    Bytes bytes;
    double share = 0;  // of what it could have carried during the makespan
};

struct Metrics {
    Seconds makespan;
    std::int64_t tokens = 0;
    double tokens_per_s = 0;
    std::array<StageMetrics, stage_count> stages;
    std::vector<Seconds> idle;  // [rank]: makespan less the time its compute stream was busy
    Seconds mean_idle, longest_idle;
    std::vector<LayerMetrics> layers;
    LayerMetrics load;           // mean over layers of cv, worst of max/mean, drop rate of all layers together
    std::vector<LinkUse> links;  // busiest first; links without traffic left out
    RankId fullest_rank;         // whose memory is fullest
};

Metrics measure(const Result& result);

}  // namespace moesim
