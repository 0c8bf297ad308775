#pragma once
// Capacity: of each expert's choices the first ones stay.
#include "kernels/cuda/order_count.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

// In place; the number of a choice among its expert's is known from `runs`, whose table is that of the runs before.
__global__ void __launch_bounds__(order_warps* warp_lanes)
    drop_choices(Runs runs, int first, int bins, std::int64_t capacity, ExpertIndex* experts, float* weights) {
    MOESIM_DYNAMIC_SHARED(counters, int);
    const auto drop = [&](std::int64_t c) {
        experts[c] = no_expert;
        weights[c] = 0;
    };
    for_each_choice(
        runs, first, bins, counters, [](int) { return 0; },
        [&](std::int64_t c, int number) {
            if (number >= capacity) drop(c);
        },
        drop);
}

// load [expert]: from all choices to those that stay.
__global__ void limit_counts(int experts, std::int64_t capacity, std::int32_t* load) {
    const int e = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (e < experts && load[e] > capacity) load[e] = static_cast<std::int32_t>(capacity);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
