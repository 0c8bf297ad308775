#pragma once
// Balance without an auxiliary loss: a bias for each expert that follows the load.
#include "base/matrix.hpp"
#include "workload/token_policy.hpp"

namespace moesim {

// The k experts with the largest sigmoid(logit) + bias; weights ignore the bias. After each batch the bias of an expert
// that got more than the mean falls by `rate`, that of one that got less rises by it (Wang et al., arXiv:2408.15664;
// DeepSeek-V3, arXiv:2412.19437, where the rate is 0.001). The run sees the biases after spec.steps batches of
// spec.tokens tokens each, of all sources alike and through all layers, and does not change them. Logits are taken
// relative to uniform popularity, as those of a trained gate are.
class BiasBalancedPolicy final : public TokenPolicy {
  public:
    BiasBalancedPolicy(const std::shared_ptr<const Gate>& gate, std::size_t top_k, std::size_t layers,
                       std::size_t sources, const BiasSpec& spec);
    [[nodiscard]] std::span<const float> bias(LayerId layer) const { return bias_.row(layer.value()); }

  private:
    void see_batch(std::int64_t step, std::size_t sources, const BiasSpec& spec);
    std::size_t prepare(const Token& token, std::span<float> logits) const override;
    Matrix<float> bias_;  // [layer][expert]
};

// One step of the feedback: `load` is what each expert got.
void move_bias(std::span<const std::int64_t> load, float rate, std::span<float> bias);

}  // namespace moesim
