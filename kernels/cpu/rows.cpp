// Operations that move rows.
#include <array>
#include <vector>

#include "kernels/cpu/operations.hpp"
#include "kernels/cpu/parallel.hpp"

namespace moesim::kernels {
namespace {

const char* row(const ConstMatrixView& m, std::int64_t r) {
    return static_cast<const char*>(m.data) + r * m.stride * bytes_of(m.scalar);
}
char* row(const MatrixView& m, std::int64_t r) {
    return static_cast<char*>(m.data) + r * m.stride * bytes_of(m.scalar);
}
bool is_row(std::int64_t r, std::int64_t rows) { return r >= 0 && r < rows; }
std::size_t place(Scalar s) { return static_cast<std::size_t>(s); }

// So long a block that there is one.
std::int64_t block_columns(ScaleBlock block, std::int64_t cols) { return block == ScaleBlock::row ? cols : 128; }

}  // namespace

void CpuOperations::do_pack(Stream&, ConstMatrixView tokens, ArrayView<const std::int32_t> choice, std::int64_t width,
                            PackedView out) {
    const bool compressed = out.values.scalar == Scalar::fp8_e4m3;
    const std::int64_t row_bytes = tokens.cols * bytes_of(tokens.scalar), block = block_columns(out.block, tokens.cols);
    const bool streamed = past_caches(out.values.bytes());
    const auto compress = code_.compress[place(tokens.scalar)];
    const int threads = threads_for(threads_, out.values.rows * row_bytes);
    in_parallel(threads, out.values.rows, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t slot = begin; slot < end; ++slot) {
            const std::int64_t c = choice.data[slot], token = c / width;
            if (c < 0 || token >= tokens.rows) continue;
            char* const to = row(out.values, slot);
            if (compressed)
                compress(row(tokens, token), tokens.cols, block, reinterpret_cast<std::uint8_t*>(to),
                         reinterpret_cast<float*>(row(out.scales, slot)));
            else
                code_.copy(row(tokens, token), row_bytes, to, streamed);
        }
    });
}

void CpuOperations::do_unpack(Stream&, ConstPackedView packed, ArrayView<const std::int32_t> slot, MatrixView out) {
    const bool compressed = packed.values.scalar == Scalar::fp8_e4m3;
    const std::int64_t row_bytes = out.cols * bytes_of(out.scalar), block = block_columns(packed.block, out.cols);
    const bool streamed = past_caches(out.bytes());
    const auto expand = code_.expand[place(out.scalar)];
    in_parallel(threads_for(threads_, out.rows * row_bytes), out.rows, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
            const std::int64_t s = slot.data[c];
            char* const to = row(out, c);
            if (!is_row(s, packed.values.rows))
                std::fill_n(to, row_bytes, '\0');
            else if (compressed)
                expand(reinterpret_cast<const std::uint8_t*>(row(packed.values, s)),
                       reinterpret_cast<const float*>(row(packed.scales, s)), out.cols, block, to);
            else
                code_.copy(row(packed.values, s), row_bytes, to, streamed);
        }
    });
}

void CpuOperations::do_combine(Stream&, ConstMatrixView results, ArrayView<const std::int32_t> slot,
                               ArrayView<const float> weights, MatrixView out) {
    if (out.rows == 0) return;
    const std::int64_t width = weights.size / out.rows;
    const bool streamed = past_caches(out.bytes());
    const auto combine = code_.combine[place(out.scalar)];
    const std::int64_t work = (weights.size + out.rows) * out.cols * bytes_of(out.scalar);
    in_parallel(threads_for(threads_, work), out.rows, [&](std::int64_t begin, std::int64_t end) {
        std::vector<const void*> rows(static_cast<std::size_t>(width));
        std::vector<float> factors(rows.size());
        for (std::int64_t t = begin; t < end; ++t) {
            std::size_t count = 0;
            for (std::int64_t c = t * width; c < (t + 1) * width; ++c) {
                const std::int64_t s = slot.empty() ? c : slot.data[c];
                if (!is_row(s, results.rows)) continue;
                rows[count] = row(results, s);
                factors[count++] = weights.data[c];
            }
            combine(rows.data(), factors.data(), static_cast<std::int64_t>(count), out.cols, row(out, t), streamed);
        }
    });
}

void CpuOperations::do_add_residual(Stream&, ConstMatrixView a, ConstMatrixView b, MatrixView out) {
    const bool streamed = past_caches(out.bytes()) && out.data != a.data && out.data != b.data;
    const auto add = code_.add[place(out.scalar)];
    in_parallel(threads_for(threads_, 3 * out.bytes()), out.rows, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) add(row(a, r), row(b, r), out.cols, row(out, r), streamed);
    });
}

}  // namespace moesim::kernels
