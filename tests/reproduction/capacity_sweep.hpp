#pragma once
// How much is dropped where tokens choose k distinct experts independently and all experts are alike.
//
// The measured sweep routes 32,768 tokens by independent standard normal logits, of 64, 128 or 256 experts, and drops
// what exceeds ceil(CF N k / E). Logits that are independent and alike, whatever their continuous distribution, choose
// each set of k experts with the same probability. So normal noise (as measured) and Gumbel noise (which is drawn
// faster) give the same law of drops, which is known exactly: see expected_drop.
#include <array>
#include <cstdint>
#include <vector>

namespace moesim::test {

inline constexpr std::int64_t sweep_tokens = 32'768;
inline constexpr std::array<std::int64_t, 3> sweep_experts = {64, 128, 256};
inline constexpr std::array<std::int64_t, 3> sweep_top_k = {1, 2, 4};
inline constexpr std::array<double, 7> sweep_factors = {0.9, 1.0, 1.05, 1.1, 1.15, 1.25, 1.5};

struct Expected {
    double mean = 0;
    double deviation = 0;  // at most; of one routing
};

// An expert is among a token's k with probability k/E, tokens are independent: its load X is Binomial(N, k/E). With
// c = ceil(CF N k / E), the part that is dropped is D = sum_e max(X_e - c, 0) / (N k), so
//     E[D] = E[max(X - c, 0)] / (N k / E).
// The experts of a token are a random k-subset, so the loads are negatively associated (Joag-Dev and Proschan, Annals
// of Statistics 1983), and so are increasing functions of one load each: no covariance is positive, and
//     Var[D] <= E Var[max(X - c, 0)] / (N k)^2.
Expected expected_drop(std::int64_t tokens, std::int64_t experts, std::int64_t top_k, double factor);

enum class SweepNoise : unsigned char { gumbel, normal };

// The drop rates of the routing with that seed.
std::array<double, sweep_factors.size()> routed_drops(std::int64_t experts, std::int64_t top_k, SweepNoise noise,
                                                      std::uint64_t seed);

// A sweep: each cell's mean over some routings, which all cells of the same experts and k share.
struct SweepCell {
    std::int64_t experts = 0, top_k = 0;
    double capacity_factor = 0, drop_rate = 0;
    std::int64_t routings = 0;
};
// `routings` for top-1 and k^2 times fewer (at least one) for top-k, whose margins are wider.
std::vector<SweepCell> sweep(SweepNoise noise, std::int64_t routings);

}  // namespace moesim::test
