#pragma once
// What operations ask of the device beside launches, and all that differs between a real one (backend.cu) and the shim
// (shim_backend.cpp).
#include <cstddef>

#include "kernels/cuda/product.hpp"
#include "kernels/shim/launch.hpp"
#include "kernels/stream.hpp"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

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
