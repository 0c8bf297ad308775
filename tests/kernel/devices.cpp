#include "kernel/devices.hpp"

#include <bit>
#include <cmath>

#include "base/random.hpp"
#include "kernels/cpu/backend.hpp"
#include "kernels/cuda/shim_backend.hpp"
#ifdef MOESIM_CUDA_BACKEND
#include "kernels/cuda/backend.hpp"
#endif
#include "kernels/error.hpp"
#include "support/catch.hpp"

namespace moesim::test {

const std::vector<Device>& devices() {
    static const std::vector<Device> all = [] {
        std::vector<Device> found;
        // With no cache worth the name, all rows take the way of those that are too large for it.
        for (const kernels::CpuOptions& options :
             {kernels::CpuOptions{1, 1, 0}, {3, 1, 1}, {2, 3, 1}, {2, 3, 0}, {3, 4, 1}, {1, 4, 0}})
            try {
                Device device{"", kernels::make_cpu_backend(options), nullptr, false};
                device.name =
                    "cpu, " + device.backend->description() + (options.cache_bytes > 0 ? ", past caches" : "");
                device.stream = device.backend->make_stream();
                found.push_back(std::move(device));
            } catch (const kernels::DeviceLacking&) {  // this machine has no such instructions
            }
        const auto add = [&](std::unique_ptr<kernels::Backend> backend, bool slow) {
            Device device{std::string(backend->name()), std::move(backend), nullptr, slow};
            device.stream = device.backend->make_stream();
            found.push_back(std::move(device));
        };
        add(kernels::make_shim_backend(), true);
#ifdef MOESIM_CUDA_BACKEND
        add(kernels::make_cuda_backend(), false);
#endif
        return found;
    }();
    return all;
}

DeviceRouting HostRouting::on(const Device& device) const {
    DeviceRouting r(device, tokens, width);
    r.experts = device.array(experts);
    r.weights = device.array(weights);
    return r;
}

std::vector<float> normal_numbers(std::uint64_t seed, std::int64_t count, kernels::Scalar scalar) {
    RandomStream random(stream_key(seed, 99), 0);
    std::vector<float> numbers(static_cast<std::size_t>(count));
    for (float& x : numbers) {
        x = static_cast<float>(random.normal());
        if (scalar == kernels::Scalar::bf16) x = static_cast<float>(kernels::bfloat16(x));
    }
    return numbers;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) {
        WARN(a.size() << " numbers against " << b.size());
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i)
        if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i]) &&
            !(std::isnan(a[i]) && std::isnan(b[i]))) {
            WARN("number " << i << ": " << a[i] << " against " << b[i]);
            return false;
        }
    return true;
}

}  // namespace moesim::test
