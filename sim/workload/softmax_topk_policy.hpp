#pragma once
// Softmax top-k over per-token gate logits.
#include <vector>

#include "base/matrix.hpp"
#include "workload/alias_table.hpp"
#include "workload/policy.hpp"

namespace moesim {

// Logits log(popularity) + Gumbel noise: the top k of them are k draws without replacement in proportion to the
// popularities (Yellott 1977; Kool, van Hoof and Welling, ICML 2019), so they are drawn that way, in O(k) a token
// instead of one logit an expert. Ties have probability 0.
class SoftmaxTopkPolicy final : public RoutingPolicy {
  public:
    // popularity: [layer][expert]; at least top_k positive entries a row.
    SoftmaxTopkPolicy(const Matrix<double>& popularity, std::size_t top_k, std::uint64_t seed);
    void route(LayerId layer, Range tokens, std::span<ExpertIndex> out) const override;

  private:
    Matrix<double> popularity_;
    std::vector<AliasTable> tables_;  // [layer]
    std::size_t top_k_;
    std::uint64_t seed_;
};

// Logits log(popularity) + normal noise of a standard deviation `noise`, one an expert; the largest k are chosen, of
// equal ones the lower id. With equal popularities this is the usual model of an untrained gate (iid logits).
class GaussianTopkPolicy final : public RoutingPolicy {
  public:
    GaussianTopkPolicy(Matrix<double> popularity, std::size_t top_k, double noise, std::uint64_t seed);
    void route(LayerId layer, Range tokens, std::span<ExpertIndex> out) const override;

  private:
    Matrix<double> log_popularity_;
    std::size_t top_k_;
    double noise_;
    std::uint64_t seed_;
};

}  // namespace moesim
