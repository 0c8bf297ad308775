// Operations that move rows.
#include <algorithm>
#include <limits>

#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/rows.cuh"
#include "kernels/cuda/stream.hpp"
#include "kernels/shim/launch.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {
namespace {

// Blocks for a table of so many rows, `each` vectors of 16 bytes in a lane: RowPart.
dim3 rows_grid(std::int64_t rows, std::int64_t row_bytes, int each) {
    constexpr std::int64_t most_y = 65'535;
    const std::int64_t part_bytes = std::int64_t{16} * each * warp_lanes;
    return {blocks_for(row_bytes, part_bytes),
            static_cast<unsigned>(std::min<std::int64_t>(blocks_for(rows, warps_of_block), most_y))};
}
RowSource row_source(ArrayView<const std::int32_t> source, std::int64_t width, std::int64_t rows) {
    // All numbers divided by more than the largest of them are 0.
    constexpr std::int64_t most = std::numeric_limits<unsigned>::max();
    return {source.data, static_cast<unsigned>(std::min(width, most)), rows};
}

// A table as one of units of two bytes.
template <class Unit, class Void>
Rows<Unit> in_units(const BasicMatrixView<Void>& m) {
    const std::int64_t units = bytes_of(m.scalar) / 2;
    return {static_cast<Unit*>(m.data), m.rows, m.cols * units, m.stride * units};
}

template <bool zeros>
void copy_table(shim::Stream stream, const ConstMatrixView& from, const RowSource& source, const MatrixView& to) {
    if (to.rows == 0 || to.cols == 0) return;
    const shim::Shape shape{.grid = rows_grid(to.rows, to.cols * bytes_of(to.scalar), copied_vectors),
                            .block = rows_block,
                            .stream = stream};
    shim::launch<copy_rows<zeros>>(shape, in_units<const std::uint16_t>(from), source, in_units<std::uint16_t>(to));
}

template <class T>
void compress_table(shim::Stream stream, const ConstMatrixView& tokens, const RowSource& source,
                    const PackedView& out) {
    const Rows<std::uint8_t> codes{static_cast<std::uint8_t*>(out.values.data), out.values.rows, out.values.cols,
                                   out.values.stride};
    if (out.block == ScaleBlock::row) {
        shim::launch<compress_rows<T>>({.grid = blocks_for(codes.rows, 1), .block = rows_block, .stream = stream},
                                       tokens.as<T>(), source, codes, out.scales.as<float>());
    } else if (codes.cols > 0) {
        shim::launch<compress_blocks<T>>(
            {.grid = rows_grid(codes.rows, tokens.cols * bytes_of(tokens.scalar), compressed_vectors),
             .block = rows_block,
             .stream = stream},
            tokens.as<T>(), source, codes, out.scales.as<float>());
    }
}

template <class T>
void expand_table(shim::Stream stream, const ConstPackedView& packed, const RowSource& source, const MatrixView& out) {
    const Rows<const std::uint8_t> codes{static_cast<const std::uint8_t*>(packed.values.data), packed.values.rows,
                                         packed.values.cols, packed.values.stride};
    const unsigned block_vectors = packed.block == ScaleBlock::row ? 0 : 128 / Vector<T>::count;
    shim::launch<expand_rows<T>>({.grid = rows_grid(out.rows, out.cols * bytes_of(out.scalar), copied_vectors),
                                  .block = rows_block,
                                  .stream = stream},
                                 codes, packed.scales.as<float>(), block_vectors, source, out.as<T>());
}

template <class T>
void combine_table(shim::Stream stream, const ConstMatrixView& results, const Places& places, const MatrixView& out) {
    shim::launch<combine_rows<T>>({.grid = rows_grid(out.rows, out.cols * bytes_of(out.scalar), combined_vectors),
                                   .block = rows_block,
                                   .stream = stream},
                                  results.as<T>(), places, out.as<T>());
}

template <class T>
void add_table(shim::Stream stream, const ConstMatrixView& a, const ConstMatrixView& b, const MatrixView& out) {
    shim::launch<add_rows<T>>({.grid = rows_grid(out.rows, out.cols * bytes_of(out.scalar), copied_vectors),
                               .block = rows_block,
                               .stream = stream},
                              a.as<T>(), b.as<T>(), out.as<T>());
}

template <class T>
void round_table(shim::Stream stream, const float* weights, const Grid& grid, const MatrixView& rows) {
    shim::launch<round_rows<T>>({.grid = rows_grid(rows.rows, rows.cols * bytes_of(rows.scalar), copied_vectors),
                                 .block = rows_block,
                                 .stream = stream},
                                weights, grid, rows.as<T>());
}

shim::Stream handle(Stream& stream) { return dynamic_cast<CudaStream&>(stream).handle(); }

}  // namespace

void CudaOperations::do_pack(Stream& stream, ConstMatrixView tokens, ArrayView<const std::int32_t> choice,
                             std::int64_t width, PackedView out) {
    if (out.values.rows == 0) return;
    const RowSource source = row_source(choice, width, tokens.rows);
    if (out.values.scalar != Scalar::fp8_e4m3)
        copy_table<false>(handle(stream), tokens, source, out.values);
    else if (tokens.scalar == Scalar::fp32)
        compress_table<float>(handle(stream), tokens, source, out);
    else
        compress_table<bfloat16>(handle(stream), tokens, source, out);
}

void CudaOperations::do_unpack(Stream& stream, ConstPackedView packed, ArrayView<const std::int32_t> slot,
                               MatrixView out) {
    if (out.rows == 0 || out.cols == 0) return;
    const RowSource source = row_source(slot, 1, packed.values.rows);
    if (packed.values.scalar != Scalar::fp8_e4m3)
        copy_table<true>(handle(stream), packed.values, source, out);
    else if (out.scalar == Scalar::fp32)
        expand_table<float>(handle(stream), packed, source, out);
    else
        expand_table<bfloat16>(handle(stream), packed, source, out);
}

void CudaOperations::do_combine(Stream& stream, ConstMatrixView results, ArrayView<const std::int32_t> slot,
                                ArrayView<const float> weights, MatrixView out) {
    if (out.rows == 0 || out.cols == 0) return;
    const Places places{slot.empty() ? nullptr : slot.data, weights.data, weights.size / out.rows, results.rows};
    if (out.scalar == Scalar::fp32)
        combine_table<float>(handle(stream), results, places, out);
    else
        combine_table<bfloat16>(handle(stream), results, places, out);
}

void CudaOperations::do_round_products(Stream& stream, ArrayView<const float> weights, const Grid& grid,
                                       MatrixView rows) {
    if (rows.rows == 0 || rows.cols == 0) return;
    if (rows.scalar == Scalar::fp32)
        round_table<float>(handle(stream), weights.data, grid, rows);
    else
        round_table<bfloat16>(handle(stream), weights.data, grid, rows);
}

void CudaOperations::do_add_residual(Stream& stream, ConstMatrixView a, ConstMatrixView b, MatrixView out) {
    if (out.rows == 0 || out.cols == 0) return;
    if (out.scalar == Scalar::fp32)
        add_table<float>(handle(stream), a, b, out);
    else
        add_table<bfloat16>(handle(stream), a, b, out);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
