#pragma once
// The operations on this machine's cores. Rows, tokens or tiles are spread over threads; what one of them becomes does
// not depend on which thread does it.
#include "kernels/cpu/vector/table.hpp"
#include "kernels/operations.hpp"

namespace moesim::kernels {

class CpuOperations final : public Operations {
  public:
    CpuOperations(const VectorCode& code, int threads, std::int64_t cache_bytes)
        : code_(code), threads_(threads), cache_bytes_(cache_bytes) {}
    [[nodiscard]] std::int64_t row_alignment() const override { return 1; }

  private:
    void do_gate_logits(Stream& stream, ConstMatrixView tokens, ConstMatrixView gate, MatrixView logits) override;
    void do_select(Stream& stream, const Selection& selection, ConstMatrixView logits, RoutingView out) override;
    void do_select_by_hash(Stream& stream, const HashSelection& selection, RoutingView out) override;
    void do_choose_tokens(Stream& stream, Score score, std::int64_t capacity, ConstMatrixView logits, RoutingView out,
                          ArrayView<std::int64_t> lost) override;
    void do_limit_load(Stream& stream, std::int64_t capacity, RoutingView routing,
                       ArrayView<std::int32_t> load) override;
    void do_order_by_destination(Stream& stream, ConstRoutingView routing, ArrayView<const std::int32_t> rank_of_expert,
                                 const DispatchOrderView& out) override;
    void do_order_by_rank(Stream& stream, ConstRoutingView routing, ArrayView<const std::int32_t> rank_of_expert,
                          const RankOrderView& out) override;
    void do_pack(Stream& stream, ConstMatrixView tokens, ArrayView<const std::int32_t> choice, std::int64_t width,
                 PackedView out) override;
    void do_unpack(Stream& stream, ConstPackedView packed, ArrayView<const std::int32_t> slot, MatrixView out) override;
    void do_dense(Stream& stream, ConstMatrixView rows, ConstMatrixView weights, MatrixView out) override;
    void do_expert_forward(Stream& stream, ConstMatrixView rows, std::span<const std::int64_t> group_begin,
                           const ExpertWeightsView& weights, MatrixView out) override;
    void do_combine(Stream& stream, ConstMatrixView results, ArrayView<const std::int32_t> slot,
                    ArrayView<const float> weights, MatrixView out) override;
    void do_attention(Stream& stream, const AttentionRules& rules, const AttentionView& in, MatrixView out) override;
    void do_round_products(Stream& stream, ArrayView<const float> weights, const Grid& grid, MatrixView rows) override;
    void do_add_residual(Stream& stream, ConstMatrixView a, ConstMatrixView b, MatrixView out) override;

    void multiply_all(Stream& stream, const ConstMatrixView& rows, const ConstMatrixView& weights,
                      const MatrixView& out);
    // What is larger than this is not written into caches, where it would only push out what is used sooner.
    [[nodiscard]] bool past_caches(std::int64_t bytes) const { return bytes > cache_bytes_ / 2; }

    const VectorCode& code_;
    int threads_;
    std::int64_t cache_bytes_;
};

}  // namespace moesim::kernels
