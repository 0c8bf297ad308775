#pragma once
// The operations of a Mixture-of-Experts layer: what runs on a rank between attention and the network, and after it.
//
// For every operation:
// - It may return before the work is done (stream.hpp). Memory for intermediate values belongs to the stream, grows
// with
//   the largest call, and is not given back before the stream is.
// - Tables are fp32 or bf16 where nothing else is said; arithmetic is fp32 throughout, each result rounded once where
// it
//   is stored. Table rows begin at multiples of row_alignment() bytes (CUDA: 16, the CPU: the element's own size).
// - What is written overlaps with nothing that is read, where nothing else is said. No rows and no columns are fine.
// - It throws ArgumentError, before any work, where shapes, types or alignments do not fit; DeviceLacking where memory
//   is short; DeviceFailure, perhaps only at the stream's next synchronize(), where the device fails. What is in the
//   tables is never an error: each operation says what it makes of it.
// - "Exact" means the same bits from every backend, for every number of threads and on every run. What is not exact
//   gives the same bits on every run of the same backend on the same machine, for every number of threads. On the CPU
//   a row's bits do not even depend on the other rows: not on their number, nor on where among them it stands, nor on
//   how they are grouped. On a GPU they may, as the library chooses its kernels by the shape of a product.
//
// The public functions check their arguments and call the private ones, which backends implement and which get only
// what fits (sizes may still be 0).
#include <cstdint>
#include <span>

#include "kernels/attention.hpp"
#include "kernels/dispatch.hpp"
#include "kernels/expert.hpp"
#include "kernels/rounding.hpp"
#include "kernels/selection.hpp"
#include "kernels/stream.hpp"

namespace moesim::kernels {

class Operations {
  public:
    virtual ~Operations() = default;
    Operations() = default;
    Operations(const Operations&) = delete;
    Operations& operator=(const Operations&) = delete;

    [[nodiscard]] virtual std::int64_t row_alignment() const = 0;

    // logits[t][e] = sum over h of tokens[t][h] gate[e][h].
    // tokens [token][hidden], gate [expert][hidden], one type; logits [token][expert] fp32. Not exact: within
    // hidden 2^-24 sum |tokens gate| (1 + 2^-6) of the value, whatever the order of the sum.
    void gate_logits(Stream& stream, ConstMatrixView tokens, ConstMatrixView gate, MatrixView logits);

    // out[r][n] = sum over k of rows[r][k] weights[n][k]: what a dense layer, or a part of an attention block, is made
    // of. rows [row][k], weights [n][k], out [row][n], all of one type. Not exact: before it is rounded to the type,
    // within k 2^-24 sum |rows weights| (1 + 2^-6) of the value.
    void dense(Stream& stream, ConstMatrixView rows, ConstMatrixView weights, MatrixView out);

    // The experts and weights that selection.hpp defines. Exact.
    // logits [token][expert] fp32, 1 to 65,535 experts; out is [token][top_k], top_k from 1 to experts.
    void select(Stream& stream, const Selection& selection, ConstMatrixView logits, RoutingView out);
    void select_by_hash(Stream& stream, const HashSelection& selection, RoutingView out);

    // Experts choose tokens (Zhou et al., NeurIPS 2022): of the scores of selection.hpp, step 2, each expert takes the
    // `capacity` tokens with the largest ones above 0 (all where there are fewer), of equal ones the earlier. A token's
    // experts are ordered by score, of equal ones the lower id first; weights are the scores. A token that more than
    // out.width experts chose keeps the best ones; lost[0] is how many choices that took away. Exact.
    // logits [token][expert] fp32; out [token][width], width from 1 to experts; lost [1]. capacity >= 0.
    void choose_tokens(Stream& stream, Score score, std::int64_t capacity, ConstMatrixView logits, RoutingView out,
                       ArrayView<std::int64_t> lost);

    // Holds every expert to `capacity` choices, in the order of their numbers: later ones become no_expert with weight
    // 0, in place. load[e] becomes what expert e keeps; its size is the number of experts. Exact.
    void limit_load(Stream& stream, std::int64_t capacity, RoutingView routing, ArrayView<std::int32_t> load);

    // Sorts choices by destination: histogram, exclusive scan, stable permutation. rank_of_expert [expert] says where
    // an expert lives, from 0 to ranks - 1, ranks being the size of out.rank_rows; an expert whose rank is not among
    // these gets nothing. Weights are not looked at. Exact.
    void order_by_destination(Stream& stream, ConstRoutingView routing, ArrayView<const std::int32_t> rank_of_expert,
                              const DispatchOrderView& out);

    // The same by rank alone, each token once for every rank that has one of its experts. out.token is a `choice` for
    // pack with a width of 1; out.sent is a `slot` for combine, where each rank gives back one row for a token. At most
    // 65,535 ranks. Exact.
    void order_by_rank(Stream& stream, ConstRoutingView routing, ArrayView<const std::int32_t> rank_of_expert,
                       const RankOrderView& out);

    // out.values[s] = tokens[choice[s] / width], compressed where out's values are fp8 (dispatch.hpp), of the type of
    // tokens otherwise. A row whose choice is not that of a token is left as it is. Exact.
    // tokens [token][hidden]; choice [at least out's rows]; width >= 1.
    void pack(Stream& stream, ConstMatrixView tokens, ArrayView<const std::int32_t> choice, std::int64_t width,
              PackedView out);

    // The inverse: out[c] = packed[slot[c]], restored from fp8 where packed is; 0 where slot[c] is not a row of packed.
    // Exact. out [choice][hidden] of packed's type, fp32 or bf16 for fp8; slot [at least out's rows].
    void unpack(Stream& stream, ConstPackedView packed, ArrayView<const std::int32_t> slot, MatrixView out);

    // Each group of rows through its expert (expert.hpp): rows group_begin[g] to group_begin[g + 1] through expert g.
    // group_begin [groups + 1] is in the host's memory, because shapes are arguments of launches: from 0, ascending, to
    // the number of rows. rows [row][hidden], weights and out [row][hidden] of one type. Not exact. Values between the
    // two matrices (and between the two of an adapter) are rounded to the storage type.
    void expert_forward(Stream& stream, ConstMatrixView rows, std::span<const std::int64_t> group_begin,
                        const ExpertWeightsView& weights, MatrixView out);

    // out[t] = sum over places i, in ascending order, of weights[t][i] * results[slot[t][i]], starting from +0, each
    // product and each sum rounded to fp32 on its own: no placement, number of ranks or of threads changes a bit.
    // Places whose slot is not a row of results are skipped. Exact. results [slot][hidden]; slot and weights [token *
    // width]; out [token][hidden] of the type of results. slot of nothing: results are [token * width][hidden] in the
    // order of choices.
    void combine(Stream& stream, ConstMatrixView results, ArrayView<const std::int32_t> slot,
                 ArrayView<const float> weights, MatrixView out);

    // rows[r][c] = step * n, in place, where n is the whole number nearest to weights[r] * rows[r][c] / step (of two,
    // the even one), held between -limit and limit; 0 of a NaN, never -0. The product is rounded to fp32 first. Sums of
    // such rows are exact while none is of more than 2^24 steps in fp32, 2^8 in bf16: whatever is then added up in
    // whatever order, on however many ranks, gives the same bits. step is a power of two from 2^-100 to 2^100, limit
    // from 1 to 2^23. Exact. weights [row].
    void round_products(Stream& stream, ArrayView<const float> weights, float step, std::int64_t limit,
                        MatrixView rows);

    // What attention.hpp defines; out [token][heads * dim] of the type of q. Not exact; a token's bits depend on
    // nothing but its own query and the keys and values that it sees, in their order: on no other sequence, and not on
    // whether they are context or come with it.
    void attention(Stream& stream, const AttentionRules& rules, const AttentionView& in, MatrixView out);

    // out = a + b, all of one shape and type; out may be a or b. Exact.
    void add_residual(Stream& stream, ConstMatrixView a, ConstMatrixView b, MatrixView out);

  private:
    virtual void do_gate_logits(Stream& stream, ConstMatrixView tokens, ConstMatrixView gate, MatrixView logits) = 0;
    virtual void do_dense(Stream& stream, ConstMatrixView rows, ConstMatrixView weights, MatrixView out) = 0;
    virtual void do_select(Stream& stream, const Selection& selection, ConstMatrixView logits, RoutingView out) = 0;
    virtual void do_select_by_hash(Stream& stream, const HashSelection& selection, RoutingView out) = 0;
    virtual void do_choose_tokens(Stream& stream, Score score, std::int64_t capacity, ConstMatrixView logits,
                                  RoutingView out, ArrayView<std::int64_t> lost) = 0;
    virtual void do_limit_load(Stream& stream, std::int64_t capacity, RoutingView routing,
                               ArrayView<std::int32_t> load) = 0;
    virtual void do_order_by_destination(Stream& stream, ConstRoutingView routing,
                                         ArrayView<const std::int32_t> rank_of_expert,
                                         const DispatchOrderView& out) = 0;
    virtual void do_order_by_rank(Stream& stream, ConstRoutingView routing,
                                  ArrayView<const std::int32_t> rank_of_expert, const RankOrderView& out) = 0;
    virtual void do_pack(Stream& stream, ConstMatrixView tokens, ArrayView<const std::int32_t> choice,
                         std::int64_t width, PackedView out) = 0;
    virtual void do_unpack(Stream& stream, ConstPackedView packed, ArrayView<const std::int32_t> slot,
                           MatrixView out) = 0;
    virtual void do_expert_forward(Stream& stream, ConstMatrixView rows, std::span<const std::int64_t> group_begin,
                                   const ExpertWeightsView& weights, MatrixView out) = 0;
    virtual void do_combine(Stream& stream, ConstMatrixView results, ArrayView<const std::int32_t> slot,
                            ArrayView<const float> weights, MatrixView out) = 0;
    virtual void do_attention(Stream& stream, const AttentionRules& rules, const AttentionView& in, MatrixView out) = 0;
    virtual void do_round_products(Stream& stream, ArrayView<const float> weights, const Grid& grid,
                                   MatrixView rows) = 0;
    virtual void do_add_residual(Stream& stream, ConstMatrixView a, ConstMatrixView b, MatrixView out) = 0;
};

}  // namespace moesim::kernels
