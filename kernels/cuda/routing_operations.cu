// Operations that choose experts and sort what was chosen.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/cuda/choose.cuh"
#include "kernels/cuda/hash.cuh"
#include "kernels/cuda/limit.cuh"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/order.cuh"
#include "kernels/cuda/select_few.cuh"
#include "kernels/cuda/select_many.cuh"
#include "kernels/cuda/stream.hpp"
#include "kernels/shim/launch.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {
namespace {

// What the stream's scratch memory is for.
enum RoutingMemory : std::size_t {
    of_many,
    token_scores,
    expert_scores,
    threshold_values,
    threshold_places,
    run_table
};

constexpr GroupRules no_groups{1, 1, 1, 1, false};

bool in_vectors(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

// Threads for so many pieces of work, one each: whole warps, at most `most`.
unsigned threads_up_to(std::int64_t pieces, std::int64_t most) {
    const std::int64_t warps = (pieces + warp_lanes - 1) / warp_lanes;
    return static_cast<unsigned>(std::clamp<std::int64_t>(warps * warp_lanes, warp_lanes, most));
}

TokenTable token_table(const float* logits, std::int64_t stride, std::int64_t tokens, std::int64_t experts,
                       const RoutingView& out) {
    return {logits,           stride,          tokens, static_cast<int>(experts), static_cast<int>(out.width),
            out.experts.data, out.weights.data};
}

// Tokens of a few lanes each: blocks small enough to have their shared memory without asking for it.
shim::Shape few_shape(const CudaStream& stream, const TokenTable& table, int lanes, int quads,
                      const GroupRules& groups) {
    constexpr std::size_t without_asking = std::size_t{48} * 1024;
    const std::size_t tile_bytes =
        sizeof(float) * static_cast<std::size_t>(few_floats(lanes, quads, table.places, groups));
    const auto tiles_of = [&](unsigned block) { return block / static_cast<unsigned>(lanes); };
    unsigned threads = threads_up_to(table.tokens * lanes, few_block);
    while (threads > warp_lanes && tiles_of(threads) * tile_bytes > without_asking)
        threads = threads / 2 / warp_lanes * warp_lanes;
    return {.grid = blocks_for(table.tokens, tiles_of(threads)),
            .block = threads,
            .shared_bytes = tiles_of(threads) * tile_bytes,
            .stream = stream.handle()};
}

// Calls use(number of fours of an eighth of the experts), up to most_few experts.
template <class Use>
void with_quads(int experts, const Use& use) {
    if (experts <= 32) return use(std::integral_constant<int, 1>());
    if (experts <= 64) return use(std::integral_constant<int, 2>());
    if (experts <= 128) return use(std::integral_constant<int, 4>());
    if (experts <= 256) return use(std::integral_constant<int, 8>());
    return use(std::integral_constant<int, 16>());
}

// Tokens of a block each: so many blocks that the device is busy, which go from token to token.
shim::Shape many_shape(const CudaStream& stream, const TokenTable& table) {
    constexpr int threads_of_multiprocessor = 1024, large = 8192;  // 64 registers each are all that there are
    const unsigned threads = table.experts < large ? 256 : many_block;
    const std::int64_t at_once =
        static_cast<std::int64_t>(stream.multiprocessors()) * (threads_of_multiprocessor / threads);
    return {
        .grid = static_cast<unsigned>(std::min(table.tokens, at_once)), .block = threads, .stream = stream.handle()};
}
float* many_memory(CudaStream& stream, const shim::Shape& shape, const TokenTable& table, const GroupRules& groups) {
    return stream.scratch<float>(of_many, shape.grid.x * ManyMemory::floats(table.experts, table.places, groups));
}

template <int lanes, int quads>
void launch_by_logit(const CudaStream& stream, const TokenTable& table, const ScoreRules& rules) {
    shim::launch<select_by_logit<lanes, quads>>(few_shape(stream, table, lanes, quads, no_groups), table, rules);
}

// Runs of choices; the table is made for them.
Runs divide(CudaStream& stream, const ConstRoutingView& routing, std::int64_t experts) {
    // Each multiprocessor gets some runs, but the table stays small.
    constexpr std::int64_t most_cells = 1 << 22;
    const std::int64_t warps = std::clamp<std::int64_t>(most_bins / experts, 1, order_warps);
    const std::int64_t most_runs = std::min<std::int64_t>(std::int64_t{4} * stream.multiprocessors(),
                                                          std::max<std::int64_t>(most_cells / experts, 16));
    const std::int64_t each = (routing.choices() + most_runs * warps - 1) / (most_runs * warps);
    const std::int64_t length = (each + warp_lanes - 1) / warp_lanes * warp_lanes;
    const std::int64_t runs = (routing.choices() + length * warps - 1) / (length * warps);
    return {routing.experts.data,
            routing.choices(),
            static_cast<int>(experts),
            length,
            static_cast<int>(runs),
            static_cast<int>(warps),
            stream.scratch<std::int32_t>(run_table, runs * experts)};
}

// Calls use(shape, first, bins) for all ranges of experts; shared memory for as many counters as `copies` of a range.
template <class Use>
void for_ranges(const CudaStream& stream, const Runs& runs, int copies, const Use& use) {
    for (int first = 0; first < runs.experts; first += runs.bins()) {
        const int bins = std::min(runs.bins(), runs.experts - first);
        use(shim::Shape{.grid = static_cast<unsigned>(runs.runs),
                        .block = static_cast<unsigned>(runs.warps) * warp_lanes,
                        .shared_bytes = sizeof(int) * static_cast<std::size_t>(copies) * static_cast<std::size_t>(bins),
                        .stream = stream.handle()},
            first, bins);
    }
}

// How often each expert occurs, in total [expert] and before each run.
void count_and_scan(const CudaStream& stream, const Runs& runs, std::int32_t* total) {
    for_ranges(stream, runs, 1, [&](const shim::Shape& shape, int first, int bins) {
        shim::launch<count_choices>(shape, runs, first, bins);
    });
    constexpr int worth_a_row = 6;  // runs: below that, what a row does for others costs more than it spares
    const auto rows = static_cast<unsigned>(std::clamp((runs.runs + worth_a_row - 1) / worth_a_row, 1, 32));
    shim::launch<scan_runs>({.grid = blocks_for(runs.experts, 32), .block = {32, rows}, .stream = stream.handle()},
                            runs.runs, runs.experts, runs.table, total);
}

}  // namespace

void CudaOperations::do_select(Stream& stream, const Selection& selection, ConstMatrixView logits, RoutingView out) {
    if (logits.rows == 0) return;
    auto& device = dynamic_cast<CudaStream&>(stream);
    const TokenTable table = token_table(logits.as<float>().data, logits.stride, logits.rows, logits.cols, out);
    const ScoreRules rules{selection.score, selection.weights, selection.bias.data};
    const GroupLimit& limit = selection.limit;
    const GroupRules groups{static_cast<int>(limit.tiers), static_cast<int>(limit.chosen_tiers),
                            static_cast<int>(limit.groups), static_cast<int>(limit.chosen_groups),
                            limit.score == GroupScore::top2_sum};
    if (table.experts > most_few) {
        const shim::Shape shape = many_shape(device, table);
        shim::launch<select_of_many>(shape, table, rules, groups, many_memory(device, shape, table, groups));
    } else if (!rules.by_logit() || rules.needs_sum() || groups.groups > 1) {
        with_quads(table.experts, [&](auto quads) {
            shim::launch<select_by_rules<quads.value>>(few_shape(device, table, 8, quads.value, groups), table, rules,
                                                       in_vectors(rules.bias), groups);
        });
    } else if (table.experts <= 8) {
        launch_by_logit<2, 1>(device, table, rules);
    } else if (table.experts <= 16) {
        launch_by_logit<4, 1>(device, table, rules);
    } else {
        with_quads(table.experts, [&](auto quads) { launch_by_logit<8, quads.value>(device, table, rules); });
    }
}

void CudaOperations::do_select_by_hash(Stream& stream, const HashSelection& selection, RoutingView out) {
    if (out.choices() == 0) return;
    const std::int64_t first = (selection.offset + selection.first_position * selection.top_k) % selection.experts;
    shim::launch<select_by_position>({.grid = blocks_for(out.choices(), std::int64_t{hash_block} * hashed_together),
                                      .block = hash_block,
                                      .stream = dynamic_cast<CudaStream&>(stream).handle()},
                                     static_cast<unsigned>(first), static_cast<unsigned>(selection.experts),
                                     static_cast<unsigned>(out.choices()), 1.0F / static_cast<float>(selection.top_k),
                                     in_vectors(out.experts.data) && in_vectors(out.weights.data), out.experts.data,
                                     out.weights.data);
}

void CudaOperations::do_choose_tokens(Stream& stream, Score score, std::int64_t capacity, ConstMatrixView logits,
                                      RoutingView out, ArrayView<std::int64_t> lost) {
    stream.fill_bytes(lost.data, 0, sizeof(std::int64_t));
    if (logits.rows == 0) return;
    auto& device = dynamic_cast<CudaStream&>(stream);
    const std::int64_t tokens = logits.rows, experts = logits.cols, stride = (experts + 3) / 4 * 4;
    const TokenTable rows = token_table(logits.as<float>().data, logits.stride, tokens, experts, out);
    auto* const scores = device.scratch<float>(token_scores, tokens * stride);
    const shim::Shape block_each = many_shape(device, rows);
    if (rows.experts > most_few)
        shim::launch<score_many>(block_each, rows, score, scores, stride);
    else
        with_quads(rows.experts, [&](auto quads) {
            shim::Shape shape = few_shape(device, rows, 8, quads.value, no_groups);
            shape.shared_bytes = 0;
            shim::launch<score_few<quads.value>>(shape, rows, score, scores, stride);
        });

    auto* const values = device.scratch<float>(threshold_values, experts);
    auto* const places = device.scratch<int>(threshold_places, experts);
    if (capacity == 0 || capacity >= tokens) {
        const unsigned threads = threads_up_to(experts, 256);
        shim::launch<set_thresholds>(
            {.grid = blocks_for(experts, threads), .block = threads, .stream = device.handle()},
            capacity == 0 ? std::numeric_limits<float>::infinity() : 0.0F, rows.experts, values, places);
    } else {
        auto* const of_expert = device.scratch<float>(expert_scores, experts * tokens);
        shim::launch<transpose_scores>(
            {.grid = {blocks_for(tokens, transposed_tile), blocks_for(experts, transposed_tile)},
             .block = {transposed_tile, transposing_rows},
             .stream = device.handle()},
            scores, stride, tokens, rows.experts, of_expert);
        shim::launch<find_thresholds>({.grid = static_cast<unsigned>(experts),
                                       .block = threads_up_to(tokens, many_block),
                                       .stream = device.handle()},
                                      of_expert, tokens, capacity, values, places);
    }

    const TokenTable scored = token_table(scores, stride, tokens, experts, out);
    const Thresholds thresholds{values, places};
    auto* const lost_choices = reinterpret_cast<unsigned long long*>(lost.data);
    if (rows.experts > most_few)
        shim::launch<choose_of_many>(block_each, scored, thresholds, many_memory(device, block_each, scored, no_groups),
                                     lost_choices);
    else
        with_quads(rows.experts, [&](auto quads) {
            shim::launch<choose_of_few<quads.value>>(few_shape(device, scored, 8, quads.value, no_groups), scored,
                                                     thresholds, lost_choices);
        });
}

void CudaOperations::do_limit_load(Stream& stream, std::int64_t capacity, RoutingView routing,
                                   ArrayView<std::int32_t> load) {
    if (routing.choices() == 0) return stream.fill_bytes(load.data, 0, load.size * std::int64_t{sizeof(std::int32_t)});
    auto& device = dynamic_cast<CudaStream&>(stream);
    const Runs runs = divide(device, routing, load.size);
    count_and_scan(device, runs, load.data);
    for_ranges(device, runs, runs.warps, [&](const shim::Shape& shape, int first, int bins) {
        shim::launch<drop_choices>(shape, runs, first, bins, capacity, routing.experts.data, routing.weights.data);
    });
    const unsigned threads = threads_up_to(load.size, 256);
    shim::launch<limit_counts>({.grid = blocks_for(load.size, threads), .block = threads, .stream = device.handle()},
                               runs.experts, capacity, load.data);
}

void CudaOperations::do_order_by_destination(Stream& stream, ConstRoutingView routing,
                                             ArrayView<const std::int32_t> rank_of_expert,
                                             const DispatchOrderView& out) {
    auto& device = dynamic_cast<CudaStream&>(stream);
    const auto experts = static_cast<int>(rank_of_expert.size), ranks = static_cast<int>(out.rank_rows.size);
    Runs runs{};
    if (routing.choices() == 0) {
        stream.fill_bytes(out.expert_rows.data, 0, experts * std::int64_t{sizeof(std::int32_t)});
    } else {
        runs = divide(device, routing, experts);
        count_and_scan(device, runs, out.expert_rows.data);
    }
    const bool shared_counts = ranks <= most_ranks_shared;
    shim::launch<begin_experts>(
        {.block = begins_block,
         .shared_bytes = shared_counts ? sizeof(std::int32_t) * static_cast<std::size_t>(ranks) : 0,
         .stream = device.handle()},
        rank_of_expert.data, experts, ranks, shared_counts, out.expert_rows.data, out.expert_begin.data,
        out.rank_rows.data, out.rank_begin.data);
    if (routing.choices() == 0) return;
    for_ranges(device, runs, runs.warps, [&](const shim::Shape& shape, int first, int bins) {
        shim::launch<place_choices>(shape, runs, first, bins, rank_of_expert.data, ranks, out.expert_begin.data,
                                    out.rank_begin.data + ranks, out.choice.data, out.slot.data);
    });
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
