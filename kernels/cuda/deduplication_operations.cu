// The sort by destination rank alone.
#include <algorithm>

#include "kernels/cuda/deduplicate.cuh"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/shim/launch.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {
namespace {

// What the stream's scratch memory is for; the sort that follows has the lower numbers.
enum DeduplicationMemory : std::size_t { first_ranks = 16, ranks_themselves, rank_begins, ranks_rows };

}  // namespace

// A routing of tokens to ranks, sorted as one to experts of which each rank has one.
void CudaOperations::do_order_by_rank(Stream& stream, ConstRoutingView routing,
                                      ArrayView<const std::int32_t> rank_of_expert, const RankOrderView& out) {
    auto& device = dynamic_cast<CudaStream&>(stream);
    const std::int64_t ranks = out.rank_rows.size, choices = routing.choices();
    const RankChoices from{routing.experts.data, choices, routing.width, rank_of_expert.data,
                           rank_of_expert.size,  ranks};
    const ArrayView<ExpertIndex> firsts(device.scratch<ExpertIndex>(first_ranks, choices), choices);
    const auto numbers = [&](DeduplicationMemory purpose) {
        return ArrayView<std::int32_t>(device.scratch<std::int32_t>(purpose, ranks), ranks);
    };
    const ArrayView<std::int32_t> itself = numbers(ranks_themselves);
    const auto shape = [&](std::int64_t pieces) {
        return shim::Shape{
            .grid = blocks_for(pieces, deduplicate_block), .block = deduplicate_block, .stream = device.handle()};
    };
    shim::launch<keep_firsts>(shape(std::max(choices, ranks)), from, firsts.data, itself.data);
    do_order_by_destination(
        stream, {routing.tokens, routing.width, firsts, {}}, itself,
        {out.rank_rows, numbers(rank_begins), numbers(ranks_rows), out.rank_begin, out.token, out.sent});
    if (choices > 0) shim::launch<spread_slots>(shape(choices), from, out.sent.data, out.slot.data, out.token.data);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
