#pragma once
// Seconds of each compute stage on one rank, from the counts that it works on: by the laws of timed operations, where
// the profile has all that a stage is made of, else by its general figures. Activations are bf16 between stages. Where
// a stage has nothing to do it launches nothing and takes no time.
#include <cstdint>
#include <optional>
#include <span>

#include "base/units.hpp"
#include "config/scenario.hpp"
#include "cost/expert_kernel.hpp"
#include "cost/roofline.hpp"

namespace moesim {

// Of one tensor-parallel part. Keys and values are replicated where there are fewer heads of them than parts.
std::int64_t query_width(const AttentionSpec& attention, std::int64_t tensor);
std::int64_t key_width(const AttentionSpec& attention, std::int64_t tensor);
// Weights of a feed-forward layer, or of an expert, of inner width `inner`; a gated one has three matrices, not two.
std::int64_t feed_forward_bytes(const ModelSpec& model, std::int64_t inner, std::int64_t tensor);

// The fused attention of so many tokens, of whole sequences, on one of `tensor` parts; `sequence` ranks share each
// sequence.
struct AttentionWork {
    Flops flops;       // scores and weighted values
    double bytes = 0;  // queries, results, and keys and values of all that is attended to
};
AttentionWork attention_work(const AttentionSpec& attention, const BatchSpec& batch, std::int64_t tokens,
                             std::int64_t tensor, std::int64_t sequence);

class StageCost {
  public:
    explicit StageCost(const Scenario& scenario);

    // All attention blocks and dense layers up to and including one MoE layer's: (1 + dense) attention blocks, each
    // projections -> fused attention -> projection, and `dense` feed-forward layers.
    [[nodiscard]] Seconds attention(std::int64_t tokens) const;
    // Of that, what comes before the first keys and values are there: one projection.
    [[nodiscard]] Seconds projection(std::int64_t tokens) const;
    [[nodiscard]] Seconds gate(std::int64_t tokens) const;    // logits: tokens x hidden . hidden x experts
    [[nodiscard]] Seconds select(std::int64_t tokens) const;  // softmax and top-k over fp32 logits
    [[nodiscard]] Seconds pack(std::int64_t rows) const;      // gather into send buffers
    // Rows of each local expert: by the fitted kernel that the model or the profile names, which is given the rank's
    // own rows only, as after a dispatch, and chooses its tile by the tokens that so many rows are of, were the routing
    // even; without one by the laws of timed operations, if the profile has those of the whole stage; else by the
    // roofline. A law stands for all that a rank does then: rows to the order of the experts, their products, and what
    // is made of them rounded.
    [[nodiscard]] Seconds expert(std::span<const std::int64_t> rows) const;
    // However experts of so many rows are shared out among ranks, each expert on one rank, and each rank with some of
    // them: some rank takes this long; with that of sum_up(), where every rank needs it, of so many copies or more a
    // rank on average. Nothing with a fitted kernel.
    [[nodiscard]] Seconds expert_at_least(std::span<const std::int64_t> rows, std::int64_t ranks,
                                          std::optional<double> sums_of_copies) const;
    // Whether expert() never falls with more rows or experts: a fitted kernel may change its tile for more tokens.
    [[nodiscard]] bool grows_with_experts() const { return !kernel_; }
    // Sums what several experts of one GPU made of one token: reads `computed` rows, writes `copies`; nothing where
    // each copy met one expert only.
    [[nodiscard]] Seconds sum_up(std::int64_t computed, std::int64_t copies) const;
    [[nodiscard]] Seconds shared_experts(std::int64_t tokens) const;  // always-on experts, on the rank's own tokens
    [[nodiscard]] Seconds unpack(std::int64_t rows) const;            // returned rows back into token order
    [[nodiscard]] Seconds combine(std::int64_t rows, std::int64_t tokens) const;  // weighted sum of each token's rows
    [[nodiscard]] Seconds residual(std::int64_t tokens) const;                    // two inputs, one output

    // How many all-reduces a tensor-parallel group needs in `attention`: one after every attention block and every
    // dense layer.
    [[nodiscard]] int attention_all_reduces() const;
    [[nodiscard]] Bytes activation(std::int64_t rows) const;  // rows x hidden in bf16
    // Keys and values, in bf16, that one rank has of so many tokens in all attention blocks of the run; and in those of
    // one MoE layer.
    [[nodiscard]] Bytes keys_and_values(std::int64_t tokens) const;
    [[nodiscard]] Bytes keys_and_values_of_layer(std::int64_t tokens) const;

  private:
    // Whether the profile has a law of the operation, that this model can use; and what it says.
    [[nodiscard]] bool timed(KernelOperation operation) const;
    [[nodiscard]] Seconds time(KernelOperation operation, const PerQuantity& counts) const;
    [[nodiscard]] bool experts_timed() const;
    [[nodiscard]] Seconds product(std::int64_t rows, std::int64_t n, std::int64_t k) const;  // [rows x n], depth k
    [[nodiscard]] Seconds attention_block(std::int64_t tokens) const;
    [[nodiscard]] Seconds feed_forward(const MatmulProfile& kind, std::span<const std::int64_t> rows,
                                       std::int64_t inner) const;
    ModelSpec model_;
    std::optional<ExpertKernel> kernel_;
    KernelsProfile timed_;
    double rows_a_token_ = 1;   // of a rank, for each token that it is sent
    std::int64_t experts_ = 1;  // on a rank, were they shared out evenly
    BatchSpec batch_;
    DispatchSpec dispatch_;
    std::int64_t tensor_, expert_parallel_, sequence_;
    Profile profile_;
    Roofline roofline_;
};

}  // namespace moesim
