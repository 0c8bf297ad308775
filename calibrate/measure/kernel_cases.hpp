#pragma once
// Which calls of the operations of a layer are timed for a scenario.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/kernel_profile.hpp"
#include "config/scenario.hpp"
#include "kernels/backend.hpp"

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

// A call. make() puts what it works on into the backend's memory and gives what runs it, again and again.
struct KernelCase {
    KernelOperation operation = KernelOperation::pack;
    std::string shape;        // "hidden 1024": without the rows; what is held out as a whole
    PerQuantity counts{};     // cost/kernel_law.hpp
    std::int64_t memory = 0;  // bytes, about
    std::function<std::function<void()>(kernels::Backend&, kernels::Stream&)> make;
};

// Every call of a case takes other weights than the one before, so that `cold` bytes (of a cache) pass until they come
// again: a model's layers have others each. Rows stay where the last call left them, as between stages. What tables
// hold is random, the same always. Cases that need more than `memory` bytes are listed, but may not be made. All cases
// of a list share memory, and are for one backend at a time.
std::vector<KernelCase> kernel_cases(const KernelGrid& grid, std::int64_t cold, std::int64_t memory);

}  // namespace moesim
