#pragma once
// What one rank has to do for a scenario: its tasks, and for each of them the rows that it works on.
#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/execute/chunk_rows.hpp"
#include "calibrate/execute/local_tasks.hpp"
#include "engine/result.hpp"

namespace moesim {

// Of one micro-batch in one layer.
struct BatchWork {
    Routing routing;                     // of this rank's tokens, with gates
    std::vector<ExpertIndex> experts;    // of the rank, in ascending order
    std::vector<std::uint32_t> rank_of;  // [expert]: where its first copy is, as the rank's tokens see it
    std::vector<ChunkRows> chunks;       // [chunk]
};

struct WorkPlan {
    Result result;  // its graph and counts; without times
    LocalTasks local;
    std::int64_t row_bytes = 0, return_row_bytes = 0;
    std::vector<std::vector<Range>> tokens;       // [micro-batch][chunk]: of the rank's tokens in the micro-batch
    std::vector<Range> batch_tokens;              // [micro-batch]: of the whole batch
    std::vector<std::vector<BatchWork>> batches;  // [layer][micro-batch]
};

// Throws InputError where a scenario has something that is simulated, but not executed: tensor or sequence parallelism,
// tokens that stay with their experts, libraries' calls, faults, attention across ranks, returns in fp8.
void check_executable(const Scenario& scenario, const std::string& origin);

WorkPlan work_plan(Plan plan, RankId rank);

}  // namespace moesim
