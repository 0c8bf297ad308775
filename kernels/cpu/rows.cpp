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
    const auto token_of = [&](std::int64_t slot) -> std::int64_t {
        const std::int64_t token = choice.data[slot] / width;
        return choice.data[slot] >= 0 && token < tokens.rows ? token : -1;
    };
    in_parallel(threads, out.values.rows, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t slot = begin; slot < end; ++slot) {
            const std::int64_t token = token_of(slot), next = slot + 1 < end ? token_of(slot + 1) : -1;
            if (token < 0) continue;
            const char* const from = row(tokens, token);
            const char* const then = next < 0 ? from : row(tokens, next);
            char* const to = row(out.values, slot);
            if (compressed)
                compress(from, then, tokens.cols, block, reinterpret_cast<std::uint8_t*>(to),
                         reinterpret_cast<float*>(row(out.scales, slot)));
            else
                code_.copy(from, then, row_bytes, to, streamed);
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
            const std::int64_t s = slot.data[c], next = c + 1 < end ? slot.data[c + 1] : -1;
            char* const to = row(out, c);
            if (!is_row(s, packed.values.rows)) {
                std::fill_n(to, row_bytes, '\0');
                continue;
            }
            const char* const from = row(packed.values, s);
            const char* const then = is_row(next, packed.values.rows) ? row(packed.values, next) : from;
            if (compressed)
                expand(reinterpret_cast<const std::uint8_t*>(from), then,
                       reinterpret_cast<const float*>(row(packed.scales, s)), out.cols, block, to, streamed);
            else
                code_.copy(from, then, row_bytes, to, streamed);
        }
    });
}

void CpuOperations::do_combine(Stream&, ConstMatrixView results, ArrayView<const std::int32_t> slot,
                               ArrayView<const float> weights, MatrixView out) {
    if (out.rows == 0) return;
    const std::int64_t width = weights.size / out.rows;
    const bool streamed = past_caches(out.bytes());
    const auto combine = code_.combine[place(out.scalar)];
    const auto slot_of = [&](std::int64_t c) -> std::int64_t { return slot.empty() ? c : slot.data[c]; };
    const std::int64_t work = (weights.size + out.rows) * out.cols * bytes_of(out.scalar);
    in_parallel(threads_for(threads_, work), out.rows, [&](std::int64_t begin, std::int64_t end) {
        const auto places = static_cast<std::size_t>(width);
        std::vector<const void*> rows(2 * places);
        std::vector<float> factors(places);
        for (std::int64_t t = begin; t < end; ++t) {
            std::size_t count = 0;
            for (std::int64_t c = t * width; c < (t + 1) * width; ++c) {
                const std::int64_t s = slot_of(c);
                if (!is_row(s, results.rows)) continue;
                rows[count] = row(results, s);
                factors[count++] = weights.data[c];
            }
            // What the next token has in the same places, where it has something.
            for (std::size_t i = 0; i < count; ++i) {
                const std::int64_t c = (t + 1) * width + static_cast<std::int64_t>(i);
                const std::int64_t s = t + 1 < end ? slot_of(c) : -1;
                rows[count + i] = is_row(s, results.rows) ? row(results, s) : rows[i];
            }
            combine(rows.data(), factors.data(), static_cast<std::int64_t>(count), out.cols, row(out, t), streamed);
        }
    });
}

void CpuOperations::do_round_products(Stream&, ArrayView<const float> weights, const Grid& grid, MatrixView rows) {
    const auto round = code_.round_products[place(rows.scalar)];
    in_parallel(threads_for(threads_, 2 * rows.bytes()), rows.rows, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) round(weights.data[r], grid, rows.cols, row(rows, r));
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
