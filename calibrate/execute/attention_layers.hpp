#pragma once
// What comes before the gate: attention blocks and dense layers, each added to what it was given.
#include <vector>

#include "calibrate/execute/made_model.hpp"
#include "kernels/backend.hpp"

namespace moesim {

// Of all MoE layers, for some runs of tokens (micro-batches). Nothing without an attention block in the model. Blocks
// are projection, fused attention, projection; each dense layer comes after a block of its own, and the MoE layer's
// block is last. Bits of a token depend on no other sequence.
class AttentionLayers {
  public:
    // tokens: [run], of the whole batch, in whole sequences. Throws DeviceLacking where memory is short.
    AttentionLayers(const Scenario& scenario, const std::vector<Range>& tokens, kernels::Backend& backend,
                    kernels::Stream& stream);

    // x [token of the run][hidden], in place.
    void run(kernels::Backend& backend, kernels::Stream& stream, std::size_t layer, std::size_t run,
             kernels::MatrixView x);

  private:
    struct Block {
        kernels::Matrix qkv, out, gate_up, down;            // the latter two of the dense layer after it, if any
        std::vector<kernels::Matrix> context_k, context_v;  // [run]
    };
    // One run's memory.
    struct Memory {
        kernels::Matrix projected, attended, added;
        std::vector<std::int64_t> sequence_begin;
    };
    ModelSpec model_;
    std::vector<std::vector<Block>> blocks_;  // [layer][block]
    std::vector<Memory> memory_;              // [run]
};

}  // namespace moesim
