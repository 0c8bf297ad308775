// The samples as nvcc compiles them, and started as on a device.
#include "kernels/shim/launch.hpp"
#include "samples.cuh"

namespace moesim::samples {

void on_device(const float* from, int count, float* to, int* counts, shim::Stream stream) {
    const unsigned blocks = static_cast<unsigned>(count + 255) / 256;
    const shim::Shape shape{.grid = blocks, .block = 256, .shared_bytes = 64 * 1024, .stream = stream};
    shim::launch<block_sum<float>>(shape, from, count, to);
    shim::launch<histogram>(shape, counts, count, 256, counts);
    shim::launch<transpose<float, 32>>({.grid = blocks, .block = {32, 8}, .stream = stream}, from, count, 32, to);
    shim::launch<exclusive_scan>(shape, counts, counts);
    shim::launch<scale>(shape, from, count, 2.0F, to);
    shim::launch<keep_positive>(shape, counts, count, counts, reinterpret_cast<unsigned*>(counts));
    shim::launch<ordered_total>(shape, from, count, to, reinterpret_cast<unsigned*>(counts), to);
}

}  // namespace moesim::samples
