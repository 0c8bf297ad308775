#pragma once
// What planners know of a workload: counts over the tokens of a routing.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/matrix.hpp"
#include "config/trace/trace.hpp"

namespace moesim {

struct WorkloadCounts {
    std::size_t layers = 0, experts = 0, top_k = 0;
    std::int64_t tokens = 0;
    Matrix<double> load;                   // [layer][expert]: choices of it
    std::vector<Matrix<double>> first;     // [layer - 1][expert][expert of the next layer]: tokens, by first choices
    std::vector<Matrix<double>> pairs;     // the same over all pairs of choices
    std::vector<Matrix<double>> together;  // [layer][expert][expert]: tokens that chose both; 0 on the diagonal
    std::shared_ptr<const RoutingTrace> trace;  // the tokens themselves
};

// Of a recorded or generated routing.
WorkloadCounts workload_counts(std::shared_ptr<const RoutingTrace> trace);

// The tokens of some blocks of `block` consecutive ones: the even blocks (0, 2, ...) or the odd ones. For learning on
// one part of a trace and judging on the other.
RoutingTrace every_second_block(const RoutingTrace& trace, std::size_t block, bool odd);

}  // namespace moesim
