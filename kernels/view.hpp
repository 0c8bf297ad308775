#pragma once
// Arrays and row-major tables in a backend's memory, not owned. Host code passes views on and does not look inside:
// the memory may be a GPU's. A view of nothing has no data and no size.
#include <cstdint>
#include <type_traits>

#include "kernels/scalar.hpp"

namespace moesim::kernels {

template <class T>
struct ArrayView {
    T* data = nullptr;
    std::int64_t size = 0;

    ArrayView() = default;
    ArrayView(T* d, std::int64_t n) : data(d), size(n) {}
    // A view to write is one to read.
    template <class U>
    requires(std::is_same_v<const U, T> && !std::is_const_v<U>) ArrayView(ArrayView<U> o)
        : data(o.data), size(o.size) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] ArrayView part(std::int64_t begin, std::int64_t count) const { return {data + begin, count}; }
    [[nodiscard]] bool empty() const { return size == 0; }
};

// A table whose type is known: what kernels are given.
template <class T>
struct Rows {
    T* data = nullptr;
    std::int64_t rows = 0, cols = 0;
    std::int64_t stride = 0;  // elements from one row to the next
    [[nodiscard]] MOESIM_HOST_DEVICE T* row(std::int64_t r) const { return data + r * stride; }
};

// A table whose type is said beside it: what operations are given. Void is void or const void.
template <class Void>
struct BasicMatrixView {
    Void* data = nullptr;
    Scalar scalar = Scalar::fp32;
    std::int64_t rows = 0, cols = 0;
    std::int64_t stride = 0;  // elements from one row to the next: cols or more

    BasicMatrixView() = default;
    BasicMatrixView(Void* d, Scalar s, std::int64_t row_count, std::int64_t col_count, std::int64_t row_stride)
        : data(d), scalar(s), rows(row_count), cols(col_count), stride(row_stride) {}
    BasicMatrixView(Void* d, Scalar s, std::int64_t row_count, std::int64_t col_count)
        : BasicMatrixView(d, s, row_count, col_count, col_count) {}
    template <class Other>
    requires(std::is_same_v<Void, const void>&& std::is_same_v<Other, void>)
        BasicMatrixView(BasicMatrixView<Other> o)  // NOLINT(google-explicit-constructor)
        : BasicMatrixView(o.data, o.scalar, o.rows, o.cols, o.stride) {}

    // `scalar` has to be T's.
    template <class T>
    [[nodiscard]] auto as() const {
        using Element = std::conditional_t<std::is_const_v<Void>, const T, T>;
        return Rows<Element>{static_cast<Element*>(data), rows, cols, stride};
    }
    [[nodiscard]] BasicMatrixView part(std::int64_t begin, std::int64_t count) const {
        using Byte = std::conditional_t<std::is_const_v<Void>, const char, char>;
        return {static_cast<Byte*>(data) + begin * stride * bytes_of(scalar), scalar, count, cols, stride};
    }
    // Bytes of its elements, without what lies between rows.
    [[nodiscard]] std::int64_t bytes() const { return rows * cols * bytes_of(scalar); }
};

using MatrixView = BasicMatrixView<void>;
using ConstMatrixView = BasicMatrixView<const void>;

}  // namespace moesim::kernels
