#pragma once
// The figures of a profile's `collectives` that fits change together. Their getters and setters throw
// std::bad_optional_access where the profile lacks that part.
#include <vector>

#include "calibrate/fit.hpp"

namespace moesim {

std::vector<Figure> nccl_figures(bool host_bridge);
std::vector<Figure> normal_figures(bool combine, bool across_nodes);

// From many experts inside a node; from few of them, where each bounds the rate; across nodes.
enum class LowLatencyPart : unsigned char { inside, few_experts, nodes };
std::vector<Figure> low_latency_figures(bool combine, LowLatencyPart part);

// What the few calls of DeepEP's README tell of another machine.
std::vector<Figure> readme_figures(bool combine, bool low_latency);

}  // namespace moesim
