#include "kernels/backend.hpp"

#include "kernels/error.hpp"

namespace moesim::kernels {
namespace {

template <class T>
void convert(std::span<const float> from, std::int64_t rows, std::int64_t cols, std::int64_t stride, void* to) {
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < cols; ++c)
            static_cast<T*>(to)[r * stride + c] = T(from[static_cast<std::size_t>(r * cols + c)]);
}
template <class T>
void widen(const void* from, std::int64_t rows, std::int64_t cols, std::int64_t stride, std::span<float> to) {
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < cols; ++c)
            to[static_cast<std::size_t>(r * cols + c)] =
                static_cast<float>(static_cast<const T*>(from)[r * stride + c]);
}

}  // namespace

Matrix::Matrix(Backend& backend, Scalar scalar, std::int64_t rows, std::int64_t cols)
    : scalar_(scalar), rows_(rows), cols_(cols) {
    const std::int64_t in_16_bytes = 16 / bytes_of(scalar);
    stride_ = (cols + in_16_bytes - 1) / in_16_bytes * in_16_bytes;
    buffer_ = backend.allocate(rows * stride_ * bytes_of(scalar));
}

Matrix upload(Backend& backend, Stream& stream, Scalar scalar, std::int64_t rows, std::int64_t cols,
              std::span<const float> host) {
    if (static_cast<std::int64_t>(host.size()) != rows * cols) throw ArgumentError("upload: not rows x cols numbers");
    Matrix matrix(backend, scalar, rows, cols);
    const MatrixView view = matrix.view();
    const std::int64_t bytes = rows * view.stride * bytes_of(scalar);
    std::vector<unsigned char> raw(static_cast<std::size_t>(bytes));
    const auto fill = scalar == Scalar::fp32   ? convert<float>
                      : scalar == Scalar::bf16 ? convert<bfloat16>
                                               : convert<float8_e4m3>;
    fill(host, rows, cols, view.stride, raw.data());
    stream.copy_in(view.data, raw.data(), bytes);
    stream.synchronize();
    return matrix;
}

std::vector<float> download(Stream& stream, ConstMatrixView matrix) {
    std::vector<float> host(static_cast<std::size_t>(matrix.rows * matrix.cols));
    if (host.empty()) return host;
    const std::int64_t bytes = ((matrix.rows - 1) * matrix.stride + matrix.cols) * bytes_of(matrix.scalar);
    std::vector<unsigned char> raw(static_cast<std::size_t>(bytes));
    stream.copy_out(raw.data(), matrix.data, bytes);
    stream.synchronize();
    const auto read = matrix.scalar == Scalar::fp32   ? widen<float>
                      : matrix.scalar == Scalar::bf16 ? widen<bfloat16>
                                                      : widen<float8_e4m3>;
    read(raw.data(), matrix.rows, matrix.cols, matrix.stride, host);
    return host;
}

}  // namespace moesim::kernels
