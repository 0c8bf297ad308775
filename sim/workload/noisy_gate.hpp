#pragma once
// A gate whose logits are log(popularity) + noise.
#include <optional>
#include <vector>

#include "workload/alias_table.hpp"
#include "workload/gate.hpp"
#include "workload/popularity.hpp"

namespace moesim {

struct Noise {
    // Nothing: Gumbel noise, so that the first choice follows the popularity and the others follow it without what is
    // chosen already (Yellott 1977; Kool, van Hoof and Welling, ICML 2019). A value: normal noise of that deviation.
    std::optional<double> gaussian;
    // With this probability a token keeps its noise from one layer to the next. Noise belongs to an expert's place in
    // the order of popularity, so tokens of a popular expert go on to a popular one: the transition matrix between
    // layers of equal popularities is affinity * (a permutation) + (1 - affinity) * (independence).
    double affinity = 0;
};

class NoisyGate final : public Gate {
  public:
    NoisyGate(Popularity popularity, Noise noise, std::uint64_t seed);

    [[nodiscard]] std::size_t experts() const override { return popularity_.experts(); }
    void logits(const TokenBatch& batch, Range part, std::span<float> out) const override;
    // With Gumbel noise and no affinity the chosen are drawn directly, in O(count) a token.
    void draw(const TokenBatch& batch, std::size_t count, Routing& out) const override;

  private:
    // Popularity of a run of tokens, ready to draw from.
    struct Mix {
        std::vector<double> share;  // [expert]
        AliasTable table;
    };
    template <class Use>
    void for_each_mix(const TokenBatch& batch, Range part, Use use) const;
    void draw_token(const Mix& mix, RandomStream& stream, std::span<ExpertIndex> chosen) const;
    // The layer that a token's noise in `layer` was first drawn in.
    [[nodiscard]] std::size_t noise_layer(std::size_t layer, std::int64_t token) const;

    Popularity popularity_;
    Noise noise_;
    std::uint64_t seed_;
    std::vector<Mix> mixes_;                        // [layer]: of all sources, outside of bursts
    std::vector<std::vector<ExpertIndex>> ranked_;  // [layer][place]: experts, the most popular first
};

}  // namespace moesim
