// Operations that multiply matrices.
#include <vector>

#include "kernels/cuda/expert.cuh"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/shim/launch.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {
namespace {

// What the stream's scratch memory is for.
enum Purpose : std::size_t { first_results, inner_values, first_adapted, second_adapted, second_results };

// Columns of a table of the stream's own: rows begin at multiples of 32 bytes, whatever its type.
std::int64_t padded_cols(std::int64_t cols) { return (cols + 15) / 16 * 16; }

MatrixView own_table(CudaStream& stream, Purpose purpose, Scalar scalar, std::int64_t rows, std::int64_t cols) {
    const std::int64_t stride = padded_cols(cols);
    return {stream.scratch<unsigned char>(purpose, rows * stride * bytes_of(scalar)), scalar, rows, cols, stride};
}

// Some columns of a table.
MatrixView columns(const MatrixView& m, std::int64_t begin, std::int64_t count) {
    return {static_cast<char*>(m.data) + begin * bytes_of(m.scalar), m.scalar, m.rows, count, m.stride};
}

// rows [begin, end) of a, times b, into the same rows of c.
Product product(const ConstMatrixView& a, std::int64_t begin, std::int64_t end, const ConstMatrixView& b,
                const MatrixView& c) {
    return {end - begin, b.rows,   a.cols,  a.part(begin, 0).data, b.data, c.part(begin, 0).data,
            a.stride,    b.stride, c.stride};
}

// Products of runs of rows with their own part of a table of weights: `height` rows of it, from each `apart`th row on,
// beginning at `first`.
struct Weights {
    ConstMatrixView table;
    std::int64_t apart = 0, first = 0, height = 0;
};
void multiply_groups(CudaStream& stream, const ConstMatrixView& rows, std::span<const std::int64_t> group_begin,
                     const Weights& weights, const MatrixView& to, float alpha, bool accumulate) {
    std::vector<Product> products;
    for (std::size_t g = 0; g + 1 < group_begin.size(); ++g) {
        const ConstMatrixView part =
            weights.table.part(static_cast<std::int64_t>(g) * weights.apart + weights.first, weights.height);
        if (group_begin[g] < group_begin[g + 1])
            products.push_back(product(rows, group_begin[g], group_begin[g + 1], part, to));
    }
    stream.multiply(products, {rows.scalar, to.scalar, alpha, accumulate});
}

// A frozen matrix with `outputs` rows for each expert, and what is added to it. `adapted` is where rows times the
// adapter's first matrix go, which are of no use afterwards.
struct Projection {
    CudaStream& stream;
    const ConstMatrixView& rows;
    std::span<const std::int64_t> group_begin;
    const ConstMatrixView& table;
    std::int64_t outputs;
    const AdapterView& adapter;
    MatrixView adapted;

    Projection(CudaStream& s, const ConstMatrixView& r, std::span<const std::int64_t> groups, const ConstMatrixView& t,
               std::int64_t o, const AdapterView& a, Purpose purpose)
        : stream(s), rows(r), group_begin(groups), table(t), outputs(o), adapter(a) {
        if (!adapter.given()) return;
        const std::int64_t rank = adapter.b.cols;
        adapted = own_table(stream, purpose, rows.scalar, rows.rows, rank);
        multiply_groups(stream, rows, group_begin, {adapter.a, rank, 0, rank}, adapted, 1, false);
    }
    // Outputs `first` to first + to.cols.
    void project(std::int64_t first, const MatrixView& to) const {
        const auto groups = static_cast<std::int64_t>(group_begin.size()) - 1;
        if (groups > 1 && table.rows == outputs) {  // one expert for all: one product
            const std::int64_t all[] = {0, rows.rows};
            multiply_groups(stream, rows, all, {table, 0, first, to.cols}, to, 1, false);
        } else {
            multiply_groups(stream, rows, group_begin, {table, outputs, first, to.cols}, to, 1, false);
        }
        if (adapter.given())
            multiply_groups(stream, adapted, group_begin, {adapter.b, outputs, first, to.cols}, to, adapter.scale,
                            true);
    }
};

dim3 expert_grid(const MatrixView& to) {
    constexpr std::int64_t most_y = 65'535;
    const std::int64_t part_bytes = std::int64_t{16} * activated_vectors * warp_lanes;
    const unsigned rows = blocks_for(to.rows, warps_of_block);
    return {blocks_for(to.cols * bytes_of(to.scalar), part_bytes), rows < most_y ? rows : unsigned{most_y}};
}

template <class Function>
void activate(CudaStream& stream, const ConstMatrixView& z, std::int64_t up, const MatrixView& to) {
    if (to.rows == 0 || to.cols == 0) return;
    const shim::Shape shape{.grid = expert_grid(to), .block = rows_block, .stream = stream.handle()};
    if (to.scalar == Scalar::fp32)
        shim::launch<activate_rows<Function, float>>(shape, z.as<float>(), up, to.as<float>());
    else
        shim::launch<activate_rows<Function, bfloat16>>(shape, z.as<float>(), up, to.as<bfloat16>());
}

}  // namespace

void CudaOperations::do_gate_logits(Stream& stream, ConstMatrixView tokens, ConstMatrixView gate, MatrixView logits) {
    const std::int64_t all[] = {0, tokens.rows};
    multiply_groups(dynamic_cast<CudaStream&>(stream), tokens, all, {gate, 0, 0, gate.rows}, logits, 1, false);
}

void CudaOperations::do_dense(Stream& stream, ConstMatrixView rows, ConstMatrixView weights, MatrixView out) {
    const std::int64_t all[] = {0, rows.rows};
    multiply_groups(dynamic_cast<CudaStream&>(stream), rows, all, {weights, 0, 0, weights.rows}, out, 1, false);
}

// Sums of products stay fp32 up to where they are rounded once: z is fp32 whatever the storage type.
void CudaOperations::do_expert_forward(Stream& stream, ConstMatrixView rows, std::span<const std::int64_t> group_begin,
                                       const ExpertWeightsView& weights, MatrixView out) {
    if (rows.rows == 0 || rows.cols == 0) return;
    auto& on = dynamic_cast<CudaStream&>(stream);
    const std::int64_t inner = weights.down.cols;
    const MatrixView values = own_table(on, inner_values, rows.scalar, rows.rows, inner);
    if (inner > 0) {
        const bool gated = weights.activation == Activation::swiglu;
        const std::int64_t outputs = gated ? 2 * inner : inner, up = gated ? padded_cols(inner) : 0;
        const MatrixView z = own_table(on, first_results, Scalar::fp32, rows.rows, up + inner);
        const Projection first(on, rows, group_begin, weights.gate_up, outputs, weights.gate_up_adapter, first_adapted);
        if (!gated || up == inner) {
            first.project(0, z);
        } else {  // `up` begins where vectors do
            first.project(0, columns(z, 0, inner));
            first.project(inner, columns(z, up, inner));
        }
        if (gated)
            activate<Swiglu>(on, z, up, values);
        else
            activate<Gelu>(on, z, up, values);
    }

    const ConstMatrixView activated = values;
    const Projection second(on, activated, group_begin, weights.down, rows.cols, weights.down_adapter, second_adapted);
    const bool sums_apart = rows.scalar == Scalar::bf16 && weights.down_adapter.given();
    const MatrixView sums = sums_apart ? own_table(on, second_results, Scalar::fp32, out.rows, out.cols) : out;
    second.project(0, sums);
    if (sums_apart)
        shim::launch<narrow_rows>({.grid = expert_grid(out), .block = rows_block, .stream = on.handle()},
                                  ConstMatrixView(sums).as<float>(), out.as<bfloat16>());
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
