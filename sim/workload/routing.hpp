#pragma once
// What a router decides for some tokens of one layer.
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/split.hpp"

namespace moesim {

// The experts of each token, best first, in rows of equal width; a token with fewer experts has no_expert at the end
// of its row (dropped choices leave it in between).
struct Routing {
    std::size_t width = 0;             // the model's top_k, or more where experts choose their tokens
    std::vector<ExpertIndex> experts;  // [token][width]
    std::vector<float> gates;  // [token][width]: weights of the sum of results, 0 without an expert; only on request

    [[nodiscard]] std::size_t tokens() const { return width == 0 ? 0 : experts.size() / width; }
    [[nodiscard]] std::span<const ExpertIndex> token(std::size_t t) const {
        return std::span(experts).subspan(t * width, width);
    }
    // Rows of `w` places each, all no_expert.
    void clear(std::size_t token_count, std::size_t w) {
        width = w;
        experts.assign(token_count * w, no_expert);
        gates.clear();
    }
};

// The tokens that one source (a data-parallel rank) routes at once in one layer: a micro-batch. Policies that weigh
// tokens against each other do so within it.
struct TokenBatch {
    LayerId layer;
    std::size_t source = 0;             // data index of the rank
    Range tokens;                       // of the whole batch
    const Routing* previous = nullptr;  // of the same tokens one layer earlier, before drops; none in the first layer
    std::size_t spare = 0;              // choices beyond top_k that are wanted, for what overflows to go to
    bool want_gates = false;
};

// Sets the gates: all experts of a token weigh the same.
void equal_gates(Routing& routing);

}  // namespace moesim
