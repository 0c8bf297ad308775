#pragma once
// Calls of the operations of a layer, with what they work on.
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "calibrate/measure/call_numbers.hpp"
#include "calibrate/measure/kernel_grid.hpp"
#include "kernels/backend.hpp"

namespace moesim {

// Puts what a call works on into the backend's memory and gives what runs it, again and again. Rows stay where the last
// call left them, as between stages; weights are others each time. Tables are random, the same always.
using MakeCall = std::function<std::function<void()>(kernels::Backend&, kernels::Stream&)>;

using SharedNumbers = std::shared_ptr<CallNumbers>;

MakeCall gate_call(LayerShape shape, std::int64_t tokens, const SharedNumbers& numbers);
MakeCall select_call(LayerShape shape, std::int64_t tokens);
MakeCall order_call(LayerShape shape, std::int64_t tokens, bool by_rank);
// packs: rows of tokens in the order of sending. Otherwise packed rows in that of tokens.
MakeCall move_call(LayerShape shape, std::int64_t tokens, std::int64_t rows, bool fp8, bool packs,
                   const SharedNumbers& numbers);
// rows: [expert]
MakeCall expert_call(LayerShape shape, std::vector<std::int64_t> rows, const SharedNumbers& numbers);
MakeCall round_call(LayerShape shape, std::int64_t rows, const SharedNumbers& numbers);
// A product of a layer that is not an expert: of the attention block, or of a dense layer.
MakeCall dense_call(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const SharedNumbers& numbers);
// Sequences of `length` tokens, queries, keys and values side by side as the product before leaves them.
MakeCall attention_call(const AttentionSpec& attention, std::int64_t sequences, std::int64_t length,
                        std::int64_t context, const SharedNumbers& numbers);
// Rows summed to tokens, `width` each.
MakeCall combine_call(LayerShape shape, std::int64_t tokens, std::int64_t width, const SharedNumbers& numbers);
MakeCall residual_call(LayerShape shape, std::int64_t tokens, const SharedNumbers& numbers);

}  // namespace moesim
