#pragma once
// A device with its memory, its streams and its implementation of the operations. cpu/backend.hpp and
// cuda/backend.hpp make one.
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/operations.hpp"

namespace moesim::kernels {

// Memory of a backend, owned. Its beginning is aligned to 256 bytes; its contents are undefined at first.
class Buffer {
  public:
    using Release = std::function<void(void*)>;
    Buffer() = default;
    Buffer(void* data, std::int64_t bytes, Release release) : data_(data, std::move(release)), bytes_(bytes) {}
    [[nodiscard]] void* data() const { return data_.get(); }
    [[nodiscard]] std::int64_t bytes() const { return bytes_; }

  private:
    std::unique_ptr<void, Release> data_{nullptr, [](void*) {}};
    std::int64_t bytes_ = 0;
};

// Buffers and streams may not outlive their backend.
class Backend {
  public:
    virtual ~Backend() = default;
    Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    [[nodiscard]] virtual std::string_view name() const = 0;        // "cpu", "cuda"
    [[nodiscard]] virtual std::string description() const = 0;      // the device and the versions of what drives it
    [[nodiscard]] virtual Buffer allocate(std::int64_t bytes) = 0;  // throws DeviceLacking
    [[nodiscard]] virtual std::unique_ptr<Stream> make_stream() = 0;
    [[nodiscard]] virtual Operations& operations() = 0;
};

// An array in a backend's memory, owned.
template <class T>
class Array {
  public:
    Array() = default;
    Array(Backend& backend, std::int64_t size)
        : buffer_(backend.allocate(size * static_cast<std::int64_t>(sizeof(T)))), size_(size) {}
    [[nodiscard]] std::int64_t size() const { return size_; }
    [[nodiscard]] ArrayView<T> view() { return {static_cast<T*>(buffer_.data()), size_}; }
    [[nodiscard]] ArrayView<const T> view() const { return {static_cast<const T*>(buffer_.data()), size_}; }

  private:
    Buffer buffer_;
    std::int64_t size_ = 0;
};

// A table in a backend's memory, owned; rows begin at multiples of 16 bytes.
class Matrix {
  public:
    Matrix() = default;
    Matrix(Backend& backend, Scalar scalar, std::int64_t rows, std::int64_t cols);
    [[nodiscard]] MatrixView view() { return {buffer_.data(), scalar_, rows_, cols_, stride_}; }
    [[nodiscard]] ConstMatrixView view() const { return {buffer_.data(), scalar_, rows_, cols_, stride_}; }

  private:
    Buffer buffer_;
    Scalar scalar_ = Scalar::fp32;
    std::int64_t rows_ = 0, cols_ = 0, stride_ = 0;
};

// To the backend and back, waiting for it.
template <class T>
Array<T> upload(Backend& backend, Stream& stream, std::span<const T> host) {
    Array<T> array(backend, static_cast<std::int64_t>(host.size()));
    stream.copy_in(array.view().data, host.data(), static_cast<std::int64_t>(host.size_bytes()));
    stream.synchronize();
    return array;
}
template <class T>
std::vector<std::remove_const_t<T>> download(Stream& stream, ArrayView<T> array) {
    std::vector<std::remove_const_t<T>> host(static_cast<std::size_t>(array.size));
    stream.copy_out(host.data(), array.data, array.size * static_cast<std::int64_t>(sizeof(T)));
    stream.synchronize();
    return host;
}
// Tables as floats, [row][col] without gaps, rounded to or widened from the table's own type.
Matrix upload(Backend& backend, Stream& stream, Scalar scalar, std::int64_t rows, std::int64_t cols,
              std::span<const float> host);
std::vector<float> download(Stream& stream, ConstMatrixView matrix);

}  // namespace moesim::kernels
