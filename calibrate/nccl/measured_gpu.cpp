#include "calibrate/nccl/measured_gpu.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

MeasuredDevice measured_gpu(GpuLibrary& library, int device, const std::string& host, const std::string& date) {
    const GpuFacts facts = library.facts(device);
    MeasuredDevice d;
    d.profile = "gpu-" + host;
    d.device = fmt::format("{}, a GPU of {}", facts.name, host);
    d.memory = {facts.memory, "cudaMemGetInfo: total."};
    d.reserved = {
        Bytes(std::clamp<std::int64_t>(facts.memory.value() - facts.memory_free.value(), 0, facts.memory.value() / 2)),
        fmt::format("cudaMemGetInfo: total less free, {}, with a context and nothing else of ours.", date)};
    d.usable = Bytes(facts.memory_free.value() / 2);
    d.caches = {facts.cache, Bytes(facts.cache.value() / 2)};
    d.multiprocessors = {facts.multiprocessors, "cudaDeviceProp: multiProcessorCount."};
    const std::string tiles = "Not measured: a usual tile; cuBLAS chooses among several.";
    d.tile_m = {128, tiles};
    d.tile_n = {128, tiles};
    d.square = 8192;  // 2 ms at 500 TFLOP/s: enough tiles for all multiprocessors, many times over
    d.clock_mhz = [&library, device] {
        const auto mhz = library.clock_mhz(device);
        return mhz ? std::vector<double>{*mhz} : std::vector<double>{};
    };
    return d;
}

}  // namespace moesim
