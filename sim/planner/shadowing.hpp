#pragma once
// Shadowing of hot experts by the cost rule of FasterMoE (He et al., PPoPP 2022, section 5.1).
#include "planner/problem.hpp"

namespace moesim {

// What a layer's batch costs. The defaults are those of inference; training has 4 messages (there and back, twice), 3
// passes (the backward one counts twice) and 2 transfers (weights out, gradients back).
struct ShadowingOptions {
    double batch_tokens = 0;                    // of all positions together; 0: the whole workload is one batch
    Bytes row = Bytes(0);                       // one token's activation
    Seconds token_time = Seconds(0);            // an expert's computing of one token, one pass
    double messages = 2;                        // of a row between its token's position and its expert's
    double passes = 1;                          // of an expert over its tokens
    double transfers = 1;                       // of a shadowed expert's weights to every position
    double batches_a_transfer = 1;              // after how many batches they have to go out again; infinite: never
    std::optional<Matrix<std::uint32_t>> base;  // [layer][expert]: where experts live; none: contiguous
};

// In each layer, experts by falling load get a copy on every position, as long as the layer's time falls:
//   passes x token_time x (most tokens of a position)
//   + messages x (longest time for which a position receives rows of other positions' tokens)
//   + transfers / batches_a_transfer x (sum over shadowed experts of the time to send their weights to all positions).
// Tokens are spread over positions alike; those of a shadowed expert stay where they are and take an equal share each.
// Weights go from the expert's home by a pipelined broadcast, which takes as long as its slowest link. Stops where a
// position's slots of the layer or its memory are full. The value is the time of all layers; greedy, so no bound.
// Throws InputError where slots or memory do not hold the experts themselves.
PlannerResult shadowing_plan(const PlannerProblem& problem, const ShadowingOptions& options, const Effort& effort);

}  // namespace moesim
