#pragma once
// What operations ask of the device beside launches, and all that differs between a real one (backend.cu) and the shim
// (shim_backend.cpp).
#include <cstddef>
#include <span>

#include "kernels/cuda/side.hpp"
#include "kernels/scalar.hpp"
#include "kernels/shim/launch.hpp"
#include "kernels/stream.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

// c[i][j] = alpha * sum over h of a[i][h] b[j][h], or as much more. Rows begin at multiples of 16 bytes.
struct Product {
    std::int64_t m = 0, n = 0, k = 0;  // rows of a, rows of b, length of the sums; any may be 0
    const void* a = nullptr;
    const void* b = nullptr;
    void* c = nullptr;
    std::int64_t a_stride = 0, b_stride = 0, c_stride = 0;  // elements from one row to the next
};
// What all products of one call have in common.
struct ProductRules {
    Scalar in = Scalar::fp32, out = Scalar::fp32;  // of a and b; of c, fp32 or as `in`
    float alpha = 1;
    bool accumulate = false;  // c is added to; otherwise what it held does not matter
};

class CudaStream : public Stream {
  public:
    // What launches are given.
    [[nodiscard]] virtual shim::Stream handle() const = 0;
    [[nodiscard]] virtual unsigned multiprocessors() const = 0;

    // Memory of the device for one operation's intermediate values, of so many elements, aligned to 256 bytes; nothing
    // is kept from one operation to the next, and what it holds at first is undefined. Purposes are numbered from 0 in
    // each operation: one number, one piece of memory. It stays valid until the operation asks for the same number
    // again. Throws DeviceLacking.
    template <class T>
    [[nodiscard]] T* scratch(std::size_t purpose, std::int64_t count) {
        return static_cast<T*>(scratch_bytes(purpose, count * static_cast<std::int64_t>(sizeof(T))));
    }

    // Products whose results do not overlap, in fp32 arithmetic. Throws DeviceFailure.
    virtual void multiply(std::span<const Product> products, const ProductRules& rules) = 0;

  private:
    [[nodiscard]] virtual void* scratch_bytes(std::size_t purpose, std::int64_t bytes) = 0;
};

// Blocks for `count` pieces of work of which a block does `each`: at least one, at most what a launch takes, so that
// kernels go on from piece to piece in strides of the grid.
inline unsigned blocks_for(std::int64_t count, std::int64_t each) {
    constexpr std::int64_t most = 1 << 30;
    const std::int64_t blocks = (count + each - 1) / each;
    return static_cast<unsigned>(blocks < 1 ? 1 : blocks > most ? most : blocks);
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
