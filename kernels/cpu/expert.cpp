// Operations that multiply matrices.
#include <algorithm>
#include <array>
#include <vector>

#include "kernels/cpu/operations.hpp"
#include "kernels/cpu/parallel.hpp"
#include "kernels/cpu/stream.hpp"

namespace moesim::kernels {
namespace {

// A tile of a product is one call of the library's. Fixed sizes: the library orders sums by the shape of the call,
// which must not depend on the number of threads. Measured: larger ones gain little, smaller ones lose to repeated
// copying of operands into the library's order.
constexpr std::int64_t tile_rows = 512, tile_cols = 512;

constexpr std::int64_t products_at_once = 16;  // of one vector instruction, about

struct Tile {
    std::int64_t group, row, rows, col, cols;
};

// Rows of all groups, cut at the groups' borders, times so many columns.
std::vector<Tile> tiles_of(std::span<const std::int64_t> group_begin, std::int64_t cols) {
    std::vector<Tile> tiles;
    for (std::size_t g = 0; g + 1 < group_begin.size(); ++g)
        for (std::int64_t row = group_begin[g]; row < group_begin[g + 1]; row += tile_rows)
            for (std::int64_t col = 0; col < cols; col += tile_cols)
                tiles.push_back({static_cast<std::int64_t>(g), row, std::min(tile_rows, group_begin[g + 1] - row), col,
                                 std::min(tile_cols, cols - col)});
    return tiles;
}

template <class T>
Rows<T> block(const Rows<T>& m, std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols) {
    return {m.row(row) + col, rows, cols, m.stride};
}

// What the stream's scratch memory is for.
enum Purpose : std::size_t { widened_rows, inner_values, gate_up_adapted, down_adapted, tile_memory };

// Matrix products on fp32 copies of whatever the tables hold; a thread has memory for one tile of each operand.
class Products {
  public:
    Products(const VectorCode& code, CpuStream& stream, int threads)
        : code_(code), stream_(stream), threads_(threads) {}

    // Calls use(tile, this thread's memory of `floats` floats) for all tiles of sums over `depth` products.
    template <class Use>
    void for_each(const std::vector<Tile>& tiles, std::int64_t depth, std::int64_t floats, const Use& use) {
        const auto count = static_cast<std::int64_t>(tiles.size());
        std::int64_t work = 0;
        for (const Tile& tile : tiles) work += tile.rows * tile.cols * depth / products_at_once;
        const int threads = static_cast<int>(std::clamp<std::int64_t>(count, 1, threads_for(threads_, work)));
        float* const memory = stream_.scratch(tile_memory, threads * floats);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
        for (std::int64_t i = 0; i < count; ++i)
            use(tiles[static_cast<std::size_t>(i)], memory + thread_number() * floats);
    }

    // A table as fp32: itself, or a copy.
    Rows<const float> wide(ConstMatrixView table) {
        if (table.scalar == Scalar::fp32) return table.as<float>();
        float* const copy = stream_.scratch(widened_rows, table.rows * table.cols);
        in_parallel(threads_for(threads_, table.bytes()), table.rows, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t r = begin; r < end; ++r) widen_row(table, r, copy + r * table.cols);
        });
        return {copy, table.rows, table.cols, table.cols};
    }
    // Some rows of it, in `memory` of rows * cols floats where a copy is needed.
    Rows<const float> wide(ConstMatrixView table, std::int64_t first, std::int64_t rows, float* memory) const {
        if (table.scalar == Scalar::fp32) return {table.as<float>().row(first), rows, table.cols, table.stride};
        for (std::int64_t r = 0; r < rows; ++r) widen_row(table, first + r, memory + r * table.cols);
        return {memory, rows, table.cols, table.cols};
    }
    // to[i][j] = rows[first + i] . weights[j], or as much more; `memory` is of padding_memory() floats. The same bits
    // whatever the other rows of the table are: the library is given some of them too where to.rows is not a number of
    // rows that it treats all alike, or zeros where the table has none.
    void multiply(const Rows<const float>& rows, std::int64_t first, Rows<const float> weights, Rows<float> to,
                  bool accumulate, float* memory) const {
        const std::int64_t depth = rows.cols, with_padding = product_rows(to.rows, depth);
        if (depth == 0) {
            for (std::int64_t r = 0; !accumulate && r < to.rows; ++r) std::fill_n(to.row(r), to.cols, 0.0F);
            return;
        }
        if (to.rows <= most_thin_rows) {
            const std::int64_t done = code_.thin_gemm(to.rows, weights.rows, depth, rows.row(first), rows.stride,
                                                      weights.data, weights.stride, to.data, to.stride, accumulate);
            weights = block(weights, done, weights.rows - done, 0, depth);
            to = block(to, 0, to.rows, done, to.cols - done);
            if (to.cols == 0) return;
        }
        if (with_padding == to.rows) {
            gemm(to.rows, rows.row(first), rows.stride, weights, to, accumulate);
            return;
        }
        const Rows<float> sums{memory, with_padding, to.cols, to.cols};
        Rows<const float> input{nullptr, with_padding, depth, rows.stride};
        std::int64_t begin = 0;  // of to.rows among them
        if (with_padding <= rows.rows) {
            const std::int64_t from = std::min(first, rows.rows - with_padding);
            begin = first - from;
            input.data = rows.row(from);
        } else {
            float* const copy = memory + with_padding * to.cols;
            for (std::int64_t r = 0; r < to.rows; ++r) std::copy_n(rows.row(first + r), depth, copy + r * depth);
            std::fill_n(copy + to.rows * depth, (with_padding - to.rows) * depth, 0.0F);
            input = {copy, with_padding, depth, depth};
        }
        if (accumulate) std::fill_n(sums.data, with_padding * sums.cols, 0.0F);
        for (std::int64_t r = 0; accumulate && r < to.rows; ++r) std::copy_n(to.row(r), to.cols, sums.row(begin + r));
        gemm(with_padding, input.data, input.stride, weights, sums, accumulate);
        for (std::int64_t r = 0; r < to.rows; ++r) std::copy_n(sums.row(begin + r), to.cols, to.row(r));
    }
    // For a tile of at most so many rows of a table with so many in all.
    static std::int64_t padding_memory(std::int64_t table, std::int64_t depth, std::int64_t cols) {
        const std::int64_t most = product_rows(std::min(table, tile_rows), depth);
        return most * std::min(cols, tile_cols) + (most > table ? most * depth : 0);
    }
    void store(Rows<const float> from, MatrixView to, std::int64_t row, std::int64_t col) const {
        for (std::int64_t r = 0; r < from.rows; ++r)
            code_.narrow(from.row(r), from.cols, static_cast<std::uint16_t*>(to.data) + (row + r) * to.stride + col);
    }
    [[nodiscard]] const VectorCode& code() const { return code_; }
    [[nodiscard]] CpuStream& stream() const { return stream_; }

  private:
    void widen_row(ConstMatrixView table, std::int64_t r, float* to) const {
        code_.widen(static_cast<const std::uint16_t*>(table.data) + r * table.stride, table.cols, to);
    }

    void gemm(std::int64_t m, const float* rows, std::int64_t stride, const Rows<const float>& weights,
              const Rows<float>& to, bool accumulate) const {
        code_.gemm(m, weights.rows, weights.cols, rows, stride, weights.data, weights.stride, to.data, to.stride,
                   accumulate);
    }

    const VectorCode& code_;
    CpuStream& stream_;
    int threads_;
};

// A frozen matrix and what is added to it, for the rows of one call.
struct Projection {
    ConstMatrixView table;
    std::int64_t outputs = 0;  // of one expert
    std::int64_t experts = 1;  // in the table
    AdapterView adapter;
    Rows<const float> adapted;  // [row][r]: scale * a x

    Projection(ConstMatrixView t, std::int64_t o, const AdapterView& a)
        : table(t), outputs(o), experts(o > 0 ? t.rows / o : 1), adapter(a) {}
    [[nodiscard]] std::int64_t first_row(std::int64_t group) const { return experts > 1 ? group * outputs : 0; }
    // Floats of memory for a tile: its widened weights, and what `rows` rows need to be multiplied.
    [[nodiscard]] std::int64_t widened() const {
        return table.scalar == Scalar::fp32 ? 0 : tile_cols * std::max(table.cols, adapter.b.cols);
    }
    [[nodiscard]] std::int64_t memory(std::int64_t rows) const {
        return widened() + std::max(Products::padding_memory(rows, table.cols, outputs),
                                    Products::padding_memory(adapter.given() ? rows : 0, adapter.b.cols, outputs));
    }
};

// The tile's rows times outputs `first` to first + tile.cols of its expert.
void project(const Products& products, const Projection& p, const Rows<const float>& rows, const Tile& tile,
             std::int64_t first, Rows<float> to, float* memory) {
    const auto weights = products.wide(p.table, p.first_row(tile.group) + first, tile.cols, memory);
    products.multiply(rows, tile.row, weights, to, false, memory + p.widened());
    if (!p.adapter.given()) return;
    const auto b = products.wide(p.adapter.b, tile.group * p.outputs + first, tile.cols, memory);
    products.multiply(p.adapted, tile.row, b, to, true, memory + p.widened());
}

void adapt(Products& products, Projection& p, const Rows<const float>& rows, std::span<const std::int64_t> group_begin,
           Purpose purpose) {
    if (!p.adapter.given()) return;
    const std::int64_t rank = p.adapter.b.cols;
    const Rows<float> to{products.stream().scratch(purpose, rows.rows * rank), rows.rows, rank, rank};
    const bool rounds = p.adapter.a.scalar == Scalar::bf16;
    const std::int64_t widened = rounds ? tile_cols * rows.cols : 0;
    products.for_each(tiles_of(group_begin, rank), rows.cols,
                      widened + Products::padding_memory(rows.rows, rows.cols, rank),
                      [&](const Tile& tile, float* memory) {
                          const auto a = products.wide(p.adapter.a, tile.group * rank + tile.col, tile.cols, memory);
                          const auto part = block(to, tile.row, tile.rows, tile.col, tile.cols);
                          products.multiply(rows, tile.row, a, part, false, memory + widened);
                          for (std::int64_t r = 0; r < part.rows; ++r) {
                              if (rounds) products.code().round_to_bf16(part.row(r), part.cols);
                              for (std::int64_t c = 0; c < part.cols; ++c) part.row(r)[c] *= p.adapter.scale;
                          }
                      });
    p.adapted = {to.data, to.rows, to.cols, to.stride};
}

// All outputs of the rows, rounded to what `out` holds.
void project_all(Products& products, const Projection& p, const Rows<const float>& rows,
                 std::span<const std::int64_t> group_begin, const MatrixView& out) {
    const bool rounds = out.scalar == Scalar::bf16;
    const std::int64_t sums = rounds ? tile_rows * tile_cols : 0;
    products.for_each(tiles_of(group_begin, out.cols), p.table.cols, sums + p.memory(rows.rows),
                      [&](const Tile& tile, float* memory) {
                          const Rows<float> to = rounds
                                                     ? Rows<float>{memory, tile.rows, tile.cols, tile.cols}
                                                     : block(out.as<float>(), tile.row, tile.rows, tile.col, tile.cols);
                          project(products, p, rows, tile, tile.col, to, memory + sums);
                          if (rounds) products.store({to.data, to.rows, to.cols, to.stride}, out, tile.row, tile.col);
                      });
}

}  // namespace

void CpuOperations::do_gate_logits(Stream& stream, ConstMatrixView tokens, ConstMatrixView gate, MatrixView logits) {
    multiply_all(stream, tokens, gate, logits);
}

void CpuOperations::do_dense(Stream& stream, ConstMatrixView rows, ConstMatrixView weights, MatrixView out) {
    multiply_all(stream, rows, weights, out);
}

// One group of rows, times one matrix.
void CpuOperations::multiply_all(Stream& stream, const ConstMatrixView& rows, const ConstMatrixView& weights,
                                 const MatrixView& out) {
    Products products(code_, dynamic_cast<CpuStream&>(stream), threads_);
    const std::array<std::int64_t, 2> one_group = {0, rows.rows};
    project_all(products, {weights, weights.rows, {}}, products.wide(rows), one_group, out);
}

void CpuOperations::do_expert_forward(Stream& stream, ConstMatrixView rows, std::span<const std::int64_t> group_begin,
                                      const ExpertWeightsView& weights, MatrixView out) {
    Products products(code_, dynamic_cast<CpuStream&>(stream), threads_);
    const bool swiglu = weights.activation == Activation::swiglu, rounds = rows.scalar == Scalar::bf16;
    const std::int64_t hidden = rows.cols, inner = weights.down.cols, tile_size = tile_rows * tile_cols;
    const Rows<const float> input = products.wide(rows);
    const Rows<float> values{products.stream().scratch(inner_values, rows.rows * inner), rows.rows, inner, inner};

    Projection first(weights.gate_up, swiglu ? 2 * inner : inner, weights.gate_up_adapter);
    adapt(products, first, input, group_begin, gate_up_adapted);
    products.for_each(tiles_of(group_begin, inner), 2 * hidden, tile_size + first.memory(rows.rows),
                      [&](const Tile& tile, float* memory) {
                          float* const widened = memory + tile_size;
                          const Rows<float> to = block(values, tile.row, tile.rows, tile.col, tile.cols);
                          const Rows<float> gate{memory, tile.rows, tile.cols, tile.cols};
                          if (swiglu) project(products, first, input, tile, tile.col, gate, widened);
                          project(products, first, input, tile, swiglu ? inner + tile.col : tile.col, to, widened);
                          for (std::int64_t r = 0; r < tile.rows; ++r) {
                              if (swiglu)
                                  code_.swiglu(gate.row(r), to.row(r), tile.cols, to.row(r));
                              else
                                  code_.gelu(to.row(r), tile.cols);
                              if (rounds) code_.round_to_bf16(to.row(r), tile.cols);
                          }
                      });

    const Rows<const float> activated{values.data, values.rows, values.cols, values.stride};
    Projection second(weights.down, hidden, weights.down_adapter);
    adapt(products, second, activated, group_begin, down_adapted);
    project_all(products, second, activated, group_begin, out);
}

}  // namespace moesim::kernels
