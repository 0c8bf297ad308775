#pragma once
// The order in which rows are sent: a counting sort by rank, then by expert. order_count.cuh says how its parts were
// chosen.
#include "kernels/cuda/order_count.cuh"
#include "kernels/dispatch.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

inline constexpr int begins_block = 256;
inline constexpr int most_ranks_shared = 8192;  // whose counters lie in shared memory

// By one block. In: expert_rows, of all experts. Out: expert_rows, expert_begin, rank_rows and rank_begin as
// DispatchOrderView has them. The first warp goes through the experts, 32 at a time, and counts each rank's rows so
// far, in `of_rank`: shared memory, ints for all ranks, or (shared_counts false) rank_rows.
__global__ void __launch_bounds__(begins_block)
    begin_experts(const std::int32_t* rank_of_expert, int experts, int ranks, bool shared_counts,
                  std::int32_t* expert_rows, std::int32_t* expert_begin, std::int32_t* rank_rows,
                  std::int32_t* rank_begin) {
    MOESIM_DYNAMIC_SHARED(shared, std::int32_t);
    MOESIM_SHARED(rows_of, std::int32_t[warp_lanes]);
    const Block block = Block::mine();
    std::int32_t* const of_rank = shared_counts ? shared : rank_rows;
    for (int r = block.rank; r < ranks; r += block.size) of_rank[r] = 0;
    block.sync();
    if (block.warp() == 0) {
        const int lane = block.lane();
        const unsigned earlier_lanes = (1U << lane) - 1;
        for (int e0 = 0; e0 < experts; e0 += static_cast<int>(warp_lanes)) {
            const int e = e0 + lane, rank = e < experts ? rank_of_expert[e] : -1;
            const bool lives = rank >= 0 && rank < ranks;
            const std::int32_t rows = lives ? expert_rows[e] : 0;
            const unsigned same = __match_any_sync(full_warp, lives ? rank : -1);
            const std::int32_t so_far = lives ? of_rank[rank] : 0;
            rows_of[lane] = rows;
            __syncwarp();
            std::int32_t before = 0;
            for (unsigned left = same & earlier_lanes; left != 0; left &= left - 1)
                before += rows_of[__ffs(static_cast<int>(left)) - 1];
            __syncwarp();
            if (lives && same >> lane == 1U) of_rank[rank] = so_far + before + rows;  // the last of them
            __syncwarp();
            if (e >= experts) continue;
            expert_rows[e] = rows;
            expert_begin[e] = so_far + before;
        }
    }
    block.sync();
    std::int32_t used = 0;
    for (int r0 = 0; r0 < ranks; r0 += block.size) {
        const int r = r0 + block.rank;
        const std::int32_t rows = r < ranks ? of_rank[r] : 0;
        const Block::Sums sums = block.sums(rows);
        if (r < ranks) {
            rank_rows[r] = rows;
            rank_begin[r] = used + sums.before;
        }
        used += sums.all;
    }
    if (block.rank == 0) rank_begin[ranks] = used;
    block.sync();
    for (int e = block.rank; e < experts; e += block.size) {
        const int rank = rank_of_expert[e];
        if (rank >= 0 && rank < ranks)
            expert_begin[e] += rank_begin[rank];
        else
            expert_begin[e] = used;
    }
}

// slot [choice] and choice [slot]. `used` points to the number of slots in use; those behind become -1.
__global__ void __launch_bounds__(order_warps* warp_lanes)
    place_choices(Runs runs, int first, int bins, const std::int32_t* rank_of_expert, int ranks,
                  const std::int32_t* expert_begin, const std::int32_t* used, std::int32_t* choice,
                  std::int32_t* slot) {
    MOESIM_DYNAMIC_SHARED(counters, int);
    constexpr int homeless = -0x7fffffff - 1;  // and negative whatever is added: numbers are below 2^31
    const std::int32_t in_use = *used;
    const auto start = [&](int expert) {
        const std::int32_t rank = rank_of_expert[expert];
        return rank >= 0 && rank < ranks ? expert_begin[expert] : homeless;
    };
    const auto place = [&](std::int64_t c, int number) {
        slot[c] = number < 0 ? -1 : number;
        if (number >= 0) choice[number] = static_cast<std::int32_t>(c);
        if (c >= in_use) choice[c] = -1;
    };
    for_each_choice(runs, first, bins, counters, start, place, [&](std::int64_t c) { place(c, -1); });
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
