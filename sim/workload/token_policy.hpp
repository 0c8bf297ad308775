#pragma once
// Policies that decide for each token by its logits alone.
#include <memory>

#include "workload/gate.hpp"
#include "workload/policy.hpp"

namespace moesim {

class TokenPolicy : public RoutingPolicy {
  public:
    TokenPolicy(std::shared_ptr<const Gate> gate, std::size_t top_k) : gate_(std::move(gate)), top_k_(top_k) {}
    void route(const TokenBatch& batch, Routing& out) const final;

  protected:
    struct Token {
        LayerId layer;
        std::span<const ExpertIndex> previous;  // its choices in the layer before; empty where there are none
    };
    // Changes the logits so that the largest of them are to be chosen: minus infinity takes an expert out. Returns how
    // many are to be chosen at most, not above top_k. The weights are the softmax of the logits as they were.
    virtual std::size_t prepare(const Token& token, std::span<float> logits) const = 0;
    [[nodiscard]] std::size_t top_k() const { return top_k_; }

  private:
    std::shared_ptr<const Gate> gate_;
    std::size_t top_k_;
};

}  // namespace moesim
