#pragma once
// Shapes of layers and numbers of tokens that operations are timed for.
#include <cstdint>
#include <optional>
#include <vector>

#include "config/scenario.hpp"

namespace moesim {

// One MoE layer as one rank sees it.
struct LayerShape {
    std::int64_t hidden = 0, inner = 0;
    std::int64_t experts = 0, local = 0, top_k = 0;  // of the layer; of them on the rank; of a token
    std::int64_t ranks = 1;                          // that share the experts
    std::optional<AttentionSpec> attention;          // of the rank's part
    BatchSpec batch;                                 // for attention: length of a sequence, and what came before it
    bool gated = true;
    bool operator==(const LayerShape&) const = default;
};

struct KernelGrid {
    std::vector<LayerShape> shapes;    // the first is the one that is asked for
    std::vector<std::int64_t> tokens;  // of a rank, ascending
};

// Of a scenario: its layer, and layers of half and one and a half times its hidden size, with half and twice its
// experts (full: with half and twice its inner width), since a law has to be held against shapes that it was not fitted
// to; from 4 tokens up to twice what a rank has in a micro-batch, with that and a chunk of it among them. quick: fewer
// sizes.
KernelGrid kernel_grid(const Scenario& scenario, bool quick);
// Without one: hidden 1024, inner 2048, top-2 of 32 experts, 4 on each of 8 ranks; up to 2048 tokens.
KernelGrid default_kernel_grid(bool quick);

}  // namespace moesim
