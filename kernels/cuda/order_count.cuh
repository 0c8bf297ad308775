#pragma once
// How often each expert occurs, and the number of each choice among those of its expert: what capacity and the order of
// rows have in common.
//
// Choices are cut into runs, one for each block. A table [run][expert] holds first how often an expert occurs in a run
// (count_choices), then how often before it (scan_runs); whoever then goes through a run once more (for_each_choice)
// knows each choice's number. Nothing but a block's own shared memory is added to, and by whole warps where order
// counts.
//
// Weighed against a radix sort of (destination, choice) by a library such as CUB: that moves 8 bytes a choice through
// memory in each of its passes (two for 16 bits, beside its own histograms and scans), gives neither counts nor offsets
// by expert without one more search, and cannot run on the shim. scan_runs is no cub::DeviceScan either: that scans
// what lies side by side, and a column of the table would have to be turned first, and back. Here a choice's 2 bytes
// are read twice, what is asked for is written once, and the table is small beside it: a run has thousands of choices.
// The price is that shared memory holds counters for all experts at once; more than most_bins go in several launches,
// each over a range of them.
#include "kernels/cuda/select_team.cuh"
#include "kernels/selection.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr int most_bins = 8192;  // counters of a block, of all of its warps: 32 KB
inline constexpr int order_warps = 8;   // of a block at most

// How choices are divided: `runs` blocks, each warp of which has `length` choices, a multiple of 32.
struct Runs {
    const ExpertIndex* experts_of;  // [choice]
    std::int64_t choices;
    int experts;
    std::int64_t length;
    int runs, warps;
    std::int32_t* table;  // [run][expert]
    [[nodiscard]] __device__ __forceinline__ std::int64_t begin(int run, int warp) const {
        return min(choices, (static_cast<std::int64_t>(run) * warps + warp) * length);
    }
    // Experts of a launch: as many as there are counters for, so that each warp of a block has its own.
    [[nodiscard]] int bins() const { return experts < most_bins ? experts : most_bins; }
};

// table[run][expert] = how often, for experts first to first + bins; shared memory: bins ints.
__global__ void __launch_bounds__(order_warps* warp_lanes) count_choices(Runs runs, int first, int bins) {
    MOESIM_DYNAMIC_SHARED(count, int);
    const int run = static_cast<int>(blockIdx.x), rank = static_cast<int>(threadIdx.x),
              size = static_cast<int>(blockDim.x);
    for (int b = rank; b < bins; b += size) count[b] = 0;
    __syncthreads();
    const std::int64_t end = runs.begin(run + 1, 0);
    for (std::int64_t c = runs.begin(run, 0) + rank; c < end; c += size) {
        const int bin = static_cast<int>(runs.experts_of[c]) - first;
        if (bin >= 0 && bin < bins) atomicAdd(&count[bin], 1);
    }
    __syncthreads();
    std::int32_t* const to = runs.table + static_cast<std::int64_t>(run) * runs.experts + first;
    for (int b = rank; b < bins; b += size) to[b] = count[b];
}

// table[run][expert] becomes the sum of the runs before it, total[expert] that of all. Each column of a block's
// threads, which lie 32 abreast, has an expert; its rows share the runs.
__global__ void __launch_bounds__(1024) scan_runs(int runs, int experts, std::int32_t* table, std::int32_t* total) {
    MOESIM_SHARED(sums, std::int32_t[32][32]);
    const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y), rows = static_cast<int>(blockDim.y);
    const int e = static_cast<int>(blockIdx.x) * 32 + x, each = (runs + rows - 1) / rows;
    const int begin = min(runs, y * each), end = min(runs, begin + each);
    std::int32_t sum = 0;
    if (e < experts)
#pragma unroll 8
        for (int r = begin; r < end; ++r) sum += table[static_cast<std::int64_t>(r) * experts + e];
    sums[y][x] = sum;
    __syncthreads();
    if (e >= experts) return;
    std::int32_t before = 0;
    for (int r = 0; r < y; ++r) before += sums[r][x];
    if (y == rows - 1) total[e] = before + sum;
    constexpr int together = 4;  // on their way at once: stores keep later loads back
    for (int r0 = begin; r0 < end; r0 += together) {
        std::int32_t here[together];
#pragma unroll
        for (int i = 0; i < together; ++i)
            here[i] = r0 + i < end ? table[static_cast<std::int64_t>(r0 + i) * experts + e] : 0;
#pragma unroll
        for (int i = 0; i < together; ++i) {
            if (r0 + i < end) table[static_cast<std::int64_t>(r0 + i) * experts + e] = before;
            before += here[i];
        }
    }
}

// Calls use(choice, number) for all choices of the block's run whose expert is one of first to first + bins: `number`
// is that of the choice among those of its expert, counted from start(expert). For those of no expert it calls
// others(choice). counters: shared memory, warps * bins ints.
template <class Start, class Use, class Others>
__device__ void for_each_choice(const Runs& runs, int first, int bins, int* counters, const Start& start,
                                const Use& use, const Others& others) {
    const int run = static_cast<int>(blockIdx.x), rank = static_cast<int>(threadIdx.x),
              size = static_cast<int>(blockDim.x);
    const int lane = rank % static_cast<int>(warp_lanes), warp = rank / static_cast<int>(warp_lanes);
    const int warps_counters = warp * bins;
    int* const mine = counters + warps_counters;
    for (int b = rank; b < runs.warps * bins; b += size) counters[b] = 0;
    __syncthreads();
    const std::int64_t begin = runs.begin(run, warp), end = runs.begin(run, warp + 1);
    if (runs.warps > 1) {
        for (std::int64_t c = begin + lane; c < end; c += warp_lanes) {
            const int bin = static_cast<int>(runs.experts_of[c]) - first;
            if (bin >= 0 && bin < bins) atomicAdd(&mine[bin], 1);
        }
        __syncthreads();
    }
    const std::int32_t* const before = runs.table + static_cast<std::int64_t>(run) * runs.experts + first;
    for (int b = rank; b < bins; b += size) {
        int next = before[b] + start(first + b);
        for (int w = 0; w < runs.warps; ++w) {
            const int here = counters[w * bins + b];
            counters[w * bins + b] = next;
            next += here;
        }
    }
    __syncthreads();
    const unsigned earlier_lanes = (1U << lane) - 1;
    for (std::int64_t c0 = begin; c0 < end; c0 += warp_lanes) {
        const std::int64_t c = c0 + lane;
        const int expert = c < end ? static_cast<int>(runs.experts_of[c]) : -1, bin = expert - first;
        const bool counts = c < end && bin >= 0 && bin < bins;
        const unsigned same = __match_any_sync(full_warp, counts ? bin : -1);
        const int number = counts ? mine[bin] + __popc(same & earlier_lanes) : 0;
        __syncwarp();  // all have read before one writes, and it has written before they read again
        if (counts && (same & earlier_lanes) == 0) mine[bin] += __popc(same);
        __syncwarp();
        if (counts)
            use(c, number);
        else if (c < end && expert >= runs.experts)
            others(c);
    }
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
