#pragma once
// Small scenarios for tests: start from one and change what the test is about.
#include "config/scenario.hpp"
#include "engine/result.hpp"

namespace moesim::test {

// A GPU whose figures make arithmetic easy: 1 TFLOP/s at efficiency 1 with 1x1 tiles on one multiprocessor, memory at
// 1 TB/s, no launch time, no message overhead, links at their full bandwidth.
Profile ideal_profile();

// One NVSwitch node of `gpus` at 1 GB/s a direction, without latency.
TopologySpec one_switch(std::int64_t gpus);

// `nodes` nodes of `gpus` at 1 GB/s, NICs at 0.1 GB/s, one node a leaf, without latency.
TopologySpec small_tree(std::int64_t nodes, std::int64_t gpus, double oversubscription = 1.0);

// One MoE layer without attention on one_switch(gpus), uniform top-1 routing, one expert a GPU, `tokens` tokens.
Scenario tiny(std::int64_t gpus, std::int64_t tokens);

}  // namespace moesim::test
