#pragma once
// Rows as they are sent: in one piece each, values first, then the scale where they are compressed.
#include <cstddef>
#include <span>

#include "config/dtype.hpp"
#include "kernels/backend.hpp"

namespace moesim {

class PackedRows {
  public:
    PackedRows() = default;
    // At least so many rows of `hidden` values. alignment: of rows, in bytes.
    PackedRows(kernels::Backend& backend, Dtype dtype, std::int64_t rows, std::int64_t hidden, std::int64_t alignment)
        : dtype_(dtype), hidden_(hidden) {
        row_bytes_ = hidden * bytes_of(dtype);
        if (dtype == Dtype::fp8) row_bytes_ = scale_at() + scale_bytes;
        const std::int64_t unit = dtype == Dtype::fp8 ? std::max(alignment, scale_bytes) : alignment;
        row_bytes_ = (row_bytes_ + unit - 1) / unit * unit;
        buffer_ = backend.allocate(std::max<std::int64_t>(1, rows) * row_bytes_);
    }

    [[nodiscard]] std::int64_t row_bytes() const { return row_bytes_; }
    [[nodiscard]] kernels::PackedView view(std::int64_t begin, std::int64_t rows) {
        std::byte* const first = at(begin);
        if (dtype_ == Dtype::bf16)
            return kernels::MatrixView(first, kernels::Scalar::bf16, rows, hidden_, row_bytes_ / 2);
        return {kernels::MatrixView(first, kernels::Scalar::fp8_e4m3, rows, hidden_, row_bytes_),
                kernels::ScaleBlock::row,
                kernels::MatrixView(first + scale_at(), kernels::Scalar::fp32, rows, 1, row_bytes_ / scale_bytes)};
    }
    [[nodiscard]] std::span<std::byte> bytes(std::int64_t begin, std::int64_t rows) {
        return {at(begin), static_cast<std::size_t>(rows * row_bytes_)};
    }
    [[nodiscard]] std::byte* at(std::int64_t row) { return static_cast<std::byte*>(buffer_.data()) + row * row_bytes_; }

  private:
    static constexpr std::int64_t scale_bytes = 4;
    [[nodiscard]] std::int64_t scale_at() const { return (hidden_ + scale_bytes - 1) / scale_bytes * scale_bytes; }
    Dtype dtype_ = Dtype::bf16;
    std::int64_t hidden_ = 0, row_bytes_ = 0;
    kernels::Buffer buffer_;
};

}  // namespace moesim
