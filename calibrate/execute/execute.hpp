#pragma once
// A scenario's pipeline, run for real by ranks that each call this.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/execute/rank_run.hpp"
#include "calibrate/execute/transport.hpp"
#include "engine/plan.hpp"
#include "engine/result.hpp"
#include "kernels/backend.hpp"

namespace moesim {

struct ExecuteOptions {
    int warm_up = 1;  // runs that are not kept; the first one is checked besides
    int repeats = 5;
    Seconds at_most{};      // for repeats, of which at least one is made; 0: no limit
    bool rehearse = false;  // before the first message (KernelWork::rehearse): for backends on GPUs
    bool keep_tokens = false;
    RankOptions rank;
};

// What rank 0 has afterwards.
struct Execution {
    Result result;                                      // of a simulation's form, without times
    std::vector<std::vector<TaskTime>> runs;            // [repeat][task]: as they were measured
    std::uint64_t checksum = 0;                         // of all tokens after the last layer (KernelWork::checksum)
    std::int64_t dispatch_row_bytes = 0;                // as sent: with scales, and what aligns rows
    std::int64_t dispatch_bytes = 0, return_bytes = 0;  // on the wire, of one run
    std::vector<float> tokens;                          // [token of the batch][hidden], if they are to be kept
};

// `plan` has as many ranks as `transport`. All ranks call it with the same plan and options. Throws InternalError where
// repeats do not give the same checksum. Elsewhere than on rank 0: nothing.
std::optional<Execution> execute(Plan plan, Transport& transport, kernels::Backend& backend,
                                 const ExecuteOptions& options, const std::function<void(double share)>& progress = {});

// For each task, which of those that it waited for ended last, from the times. An end that was noted after the
// beginning of what waited for it is put back to that.
void set_causes(const TaskGraph& graph, std::vector<TaskTime>& times);

}  // namespace moesim
