#pragma once
// Tokens and weights to compute with: what they are is nobody's concern, but every rank, whatever it holds, has to make
// the same ones.
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "config/scenario.hpp"
#include "workload/routing.hpp"

namespace moesim {

// Values are uniform: of tokens in [-1, 1), of a matrix with `in` inputs in [-a, a) with a = sqrt(3 / in), so that
// outputs vary as much as inputs do.
class MadeModel {
  public:
    explicit MadeModel(const Scenario& scenario) : seed_(scenario.seed), model_(scenario.model) {}

    // Before the first layer, appended: [hidden]. token: of the whole batch.
    void token(std::int64_t token, std::vector<float>& row) const;
    // [expert][hidden]
    [[nodiscard]] std::vector<float> gate(std::size_t layer) const;
    // As kernels/expert.hpp has them, of these experts, one below the other. inner: of one expert.
    [[nodiscard]] std::vector<float> gate_up(std::size_t layer, std::span<const ExpertIndex> experts) const;
    [[nodiscard]] std::vector<float> down(std::size_t layer, std::span<const ExpertIndex> experts) const;
    // Of all shared experts together, as one wide one.
    [[nodiscard]] std::vector<float> shared_gate_up(std::size_t layer) const;
    [[nodiscard]] std::vector<float> shared_down(std::size_t layer) const;

    // A matrix [rows][inputs] of the layer's other parts, each with a number of its own.
    [[nodiscard]] std::vector<float> dense_matrix(std::size_t layer, std::int64_t part, std::int64_t rows,
                                                  std::int64_t inputs) const;
    // Keys and values of what came before a sequence, in a block of the layer, appended: `count` numbers each.
    void context(std::size_t layer, std::int64_t block, std::int64_t sequence, std::int64_t count,
                 std::vector<float>& k, std::vector<float>& v) const;

    // Logits [token][expert] from which a softmax top-k selects just these choices, in this order: experts that a token
    // has are far above the others, and where it has fewer than there are places, others cannot be chosen.
    [[nodiscard]] std::vector<float> logits(std::size_t layer, const Routing& routing, std::int64_t first_token) const;

  private:
    void uniform(std::uint64_t purpose, std::size_t layer, std::uint64_t part, std::int64_t count, double half_width,
                 std::vector<float>& to) const;
    std::uint64_t seed_;
    ModelSpec model_;
};

// Expert results, times their weights, are rounded to multiples of this and held to so many of them, so that the sum
// over a token's choices is exact in bf16 (8 bits: whole numbers up to 256) in whatever order and grouping it is
// formed: on one rank or on many, with or without forwarding.
inline constexpr float result_step = 1.0F / 64;
inline constexpr std::int64_t most_exact_terms = 256;
// The most choices that a token of the scenario can have.
std::int64_t most_choices(const Scenario& scenario);
std::int64_t result_limit(const Scenario& scenario);

}  // namespace moesim
