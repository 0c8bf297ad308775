#pragma once
// A dense row-major table; Eigen serves where there is algebra to do, this where there are only counts to keep.
#include <cstddef>
#include <span>
#include <vector>

namespace moesim {

template <class T>
class Matrix {
  public:
    Matrix() = default;
    Matrix(std::size_t rows, std::size_t cols, T value = T{}) : rows_(rows), cols_(cols), data_(rows * cols, value) {}

    [[nodiscard]] std::size_t rows() const { return rows_; }
    [[nodiscard]] std::size_t cols() const { return cols_; }
    T& operator()(std::size_t r, std::size_t c) { return data_[r * cols_ + c]; }
    const T& operator()(std::size_t r, std::size_t c) const { return data_[r * cols_ + c]; }
    [[nodiscard]] std::span<const T> row(std::size_t r) const { return {data_.data() + r * cols_, cols_}; }
    [[nodiscard]] std::span<T> row(std::size_t r) { return {data_.data() + r * cols_, cols_}; }
    [[nodiscard]] const std::vector<T>& values() const { return data_; }
    void fill(T value) { data_.assign(data_.size(), value); }
    bool operator==(const Matrix&) const = default;

  private:
    std::size_t rows_ = 0, cols_ = 0;
    std::vector<T> data_;
};

}  // namespace moesim
