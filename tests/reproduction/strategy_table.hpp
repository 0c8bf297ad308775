#pragma once
// Training runs that differ in routing strategy, reproduced with one skew parameter a strategy.
//
// The measured tables give, for each strategy, the drop rate and the CV of the load of small models, averaged over the
// layers and the points of training that were logged. The CV is that of the kept load, after drops. Strategies are
// softmax top-2, hard top-2, top-1, hash, and what the tables call expert choice: there an expert picks 64 tokens at
// most and all others fall back to their own top-2, so that with tens of thousands of tokens it is top-2 in effect.
//
// A trained router's popularities are not in the tables. The model of them here is one for all strategies: the
// popularity of a layer at a point of training is a draw from the symmetric Dirichlet distribution with
//     1 / concentration = (skew z)^2,    z standard normal.
// A popularity drawn with concentration a has about the CV 1 / sqrt(a), so |skew z| is how uneven this layer is now:
// mostly little, as early in training, sometimes very. The one parameter, `skew`, is fitted so that the drop rate at
// one capacity factor is the measured one. What that says of the other capacity factor, which was a training of its
// own, is the prediction.
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "config/scenario.hpp"
#include "reproduction/measured.hpp"

namespace moesim::test {

struct DropAndCv {
    double drop_rate = 0;
    double load_cv = 0;
};

// Averages over popularities of that skew, were there infinitely many tokens: [capacity factor]. A choice is p_e for
// top-1; of two choices without replacement, expert e is one with probability
//     p_e + sum over a != e of p_a p_e / (1 - p_a).
std::vector<DropAndCv> expected_with_skew(std::int64_t experts, std::int64_t top_k, double skew,
                                          std::span<const double> factors);
// The same of what a policy really chooses and a limit really drops. Popularities differ more than samples of tokens
// do, so few of them are routed: this is expected_with_skew plus the mean difference that routing makes to these few.
std::vector<DropAndCv> routed_with_skew(Policy policy, std::int64_t experts, std::int64_t top_k, double skew,
                                        std::span<const double> factors);
// The skew with which that drop rate is the expected one at a capacity factor.
double fitted_skew(std::int64_t experts, std::int64_t top_k, double factor, double drop_rate);

// The policy that does what a strategy of the tables does, as far as the load goes.
Policy policy_of(const std::string& strategy);

// A measured run, and what the skew says of it that was fitted to the drop rate of the same strategy at `fitted_at`.
struct Reproduced {
    MeasuredRun measured;
    double fitted_at = 0, skew = 0;
    DropAndCv ours;
    [[nodiscard]] bool is_prediction() const { return fitted_at != measured.capacity_factor; }
    [[nodiscard]] double drop_error() const { return ours.drop_rate - measured.drop_rate; }
    [[nodiscard]] double cv_error() const { return ours.load_cv - measured.load_cv; }
};
// All runs but those of hash, which has no skew, each from the fit at every capacity factor of its strategy and count
// of experts.
std::vector<Reproduced> reproduce(const std::vector<MeasuredRun>& runs);

}  // namespace moesim::test
