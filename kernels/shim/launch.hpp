#pragma once
// Starts a kernel, on the device or on the shim:
//
//     launch<copy_rows<float>>({.grid = 4, .block = 256, .shared_bytes = n, .stream = s}, from, to, rows);
//
// Under nvcc that is copy_rows<float><<<4, 256, n, s>>>(from, to, rows), with its errors thrown as DeviceFailure.
// Otherwise every thread of the grid runs here, each as a fibre, and the call returns when all have ended. The order in
// which they run is fixed, and another one for each seed (Schedule), so that a fault that one order hides shows in
// another.
#ifdef __CUDACC__

#include <cuda_runtime.h>

#include <string>
#include <utility>

#include "kernels/error.hpp"

namespace moesim::shim {

using Stream = cudaStream_t;

struct Shape {
    dim3 grid = 1, block = 1;
    std::size_t shared_bytes = 0;
    Stream stream = nullptr;
};

inline void check_launch(cudaError_t status) {
    if (status != cudaSuccess)
        throw kernels::DeviceFailure(std::string("a launch failed: ") + cudaGetErrorString(status));
}

template <auto Kernel, class... Args>
void launch(const Shape& shape, Args&&... args) {
    // More than this has to be asked for (CUDA C++ Programming Guide, "Shared Memory" of each compute capability).
    constexpr std::size_t without_asking = 48 * 1024;
    if (shape.shared_bytes > without_asking)
        check_launch(cudaFuncSetAttribute(Kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(shape.shared_bytes)));
    Kernel<<<shape.grid, shape.block, shape.shared_bytes, shape.stream>>>(std::forward<Args>(args)...);
    check_launch(cudaGetLastError());
}

}  // namespace moesim::shim

#else

#include "kernels/shim/thread.hpp"

namespace moesim::shim {

using Stream = struct NoStream*;  // launches are done when they return

struct Shape {
    Dim grid = 1, block = 1;
    std::size_t shared_bytes = 0;
    Stream stream = nullptr;
};

// The order in which this OS thread's launches run theirs, for a scope. Seed 0: by number, each as far as it gets; that
// is what holds without a Schedule. Any other: drawn at random wherever a thread waits for others or does an atomic.
// Even and odd seeds fill shared memory with different patterns, NaNs and large numbers.
class Schedule {
  public:
    explicit Schedule(std::uint64_t number);
    ~Schedule();
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;

  private:
    std::uint64_t before_;
};

// The bytes of shared memory that a block may have on every device that moesim is built for: those of compute
// capability 8.0 (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability").
inline constexpr std::size_t largest_shared_bytes = std::size_t{163} * 1024;

// call(closure) is what one thread does.
void run(const Shape& shape, std::string_view kernel, void (*call)(const void*), const void* closure);

template <auto Kernel>
constexpr std::string_view kernel_name() {
    std::string_view text = __PRETTY_FUNCTION__;  // "… [with auto Kernel = name; …]" or "… [Kernel = &name]"
    text.remove_prefix(text.find("Kernel = ") + 9);
    if (text.front() == '&') text.remove_prefix(1);
    return text.substr(0, text.find(';') == text.npos ? text.rfind(']') : text.find(';'));
}

template <auto Kernel, class... Args>
void launch(const Shape& shape, Args... args) {
    const auto one = [&] { Kernel(args...); };
    run(
        shape, kernel_name<Kernel>(), [](const void* f) { (*static_cast<decltype(&one)>(f))(); }, &one);
}

}  // namespace moesim::shim

#endif
