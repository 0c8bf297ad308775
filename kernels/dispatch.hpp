#pragma once
// The order in which rows are sent, and rows as they are sent.
//
// A *choice* is a place of the routing that holds an expert; its number is token * width + place. A *slot* is a row of
// the send buffer. Numbers of choices and slots are 32-bit: operations refuse more than 2^31 - 1 choices.
#include <cstdint>

#include "kernels/view.hpp"

namespace moesim::kernels {

// What the sort by destination gives. Slots are ordered by destination rank, then by expert, then by choice (stable),
// without gaps from 0 on.
struct DispatchOrderView {
    ArrayView<std::int32_t> expert_rows;   // [expert]: how many rows it gets
    ArrayView<std::int32_t> expert_begin;  // [expert]: its first slot; without a rank: the number of slots in use
    ArrayView<std::int32_t> rank_rows;     // [rank]: send counts, in rows
    ArrayView<std::int32_t> rank_begin;    // [rank + 1]: send offsets; the last is the number of slots in use
    ArrayView<std::int32_t> choice;        // [tokens * width]: slot -> choice; -1 for slots not in use
    ArrayView<std::int32_t> slot;          // [tokens * width]: choice -> slot; -1 where there is no expert
};

// What the sort by destination rank gives where a rank gets a token's row once, however many of its experts want it.
// Slots are ordered by rank, then by token, without gaps from 0 on.
struct RankOrderView {
    ArrayView<std::int32_t> rank_rows;   // [rank]: send counts, in rows
    ArrayView<std::int32_t> rank_begin;  // [rank + 1]: send offsets; the last is the number of slots in use
    ArrayView<std::int32_t> token;       // [tokens * width]: slot -> token; -1 for slots not in use
    ArrayView<std::int32_t> slot;        // [tokens * width]: choice -> slot; -1 where there is no expert
    ArrayView<std::int32_t> sent;        // the same, but -1 for all of a token's choices of a rank except the first
};

// One scale for so many elements of a compressed row.
enum class ScaleBlock : unsigned char { row, columns_128 };
constexpr std::int64_t scale_columns(std::int64_t cols, ScaleBlock block) {
    return block == ScaleBlock::row ? 1 : (cols + 127) / 128;
}

// Rows to send or received. Compressed rows are fp8 with fp32 scales beside them, which may lie between the rows of
// one buffer (row strides say so). Their definition, the same bits on every backend: of the elements of a block that
// are not NaN let a be the largest magnitude, at least 2^-100; then scale = a / 448 and code = fp8(x * (448 / a)); an
// element is restored as code * scale, rounded to the storage type. Restored, it is within a / 28 of x (half of a step
// of 32 at 448) and, of magnitude above a / 2^14, within 1/16 (1 + 2^-18) of itself, but for that last rounding. A
// block with an infinity becomes NaN throughout, a NaN stays one.
template <class Void>
struct BasicPackedView {
    BasicMatrixView<Void> values;  // [slot][hidden]
    ScaleBlock block = ScaleBlock::row;
    BasicMatrixView<Void> scales;  // [slot][scale_columns(hidden, block)] fp32 for fp8 values; of nothing for others

    BasicPackedView() = default;
    BasicPackedView(BasicMatrixView<Void> v) : values(v) {}  // NOLINT(google-explicit-constructor)
    BasicPackedView(BasicMatrixView<Void> v, ScaleBlock b, BasicMatrixView<Void> s) : values(v), block(b), scales(s) {}
    template <class Other>
    requires(std::is_same_v<Void, const void>&& std::is_same_v<Other, void>)
        BasicPackedView(BasicPackedView<Other> o)  // NOLINT(google-explicit-constructor)
        : values(o.values), block(o.block), scales(o.scales) {}
};
using PackedView = BasicPackedView<void>;
using ConstPackedView = BasicPackedView<const void>;

}  // namespace moesim::kernels
