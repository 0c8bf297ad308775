#pragma once
// The backends that this machine can run, and tables on them.
#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.hpp"

namespace moesim::test {

// Each with a stream. The first is the CPU without any vector instructions beyond the common ones, on one thread.
struct Device {
    std::string name;
    std::unique_ptr<kernels::Backend> backend;
    std::unique_ptr<kernels::Stream> stream;
    bool slow = false;  // CUDA's threads as fibres: tests over many shapes give it fewer of them

    [[nodiscard]] kernels::Operations& operations() const { return backend->operations(); }
    template <class T>
    [[nodiscard]] kernels::Array<T> array(const std::vector<T>& host) const {
        return kernels::upload<T>(*backend, *stream, std::span<const T>(host));
    }
    template <class T>
    [[nodiscard]] std::vector<T> host(const kernels::Array<T>& array) const {
        return kernels::download(*stream, array.view());
    }
    [[nodiscard]] kernels::Matrix matrix(kernels::Scalar scalar, std::int64_t rows, std::int64_t cols,
                                         const std::vector<float>& host) const {
        return kernels::upload(*backend, *stream, scalar, rows, cols, host);
    }
    [[nodiscard]] std::vector<float> host(const kernels::Matrix& matrix) const {
        return kernels::download(*stream, matrix.view());
    }
};
const std::vector<Device>& devices();

// A routing on a device.
struct DeviceRouting {
    std::int64_t tokens, width;
    kernels::Array<ExpertIndex> experts;
    kernels::Array<float> weights;

    DeviceRouting(const Device& device, std::int64_t t, std::int64_t w)
        : tokens(t), width(w), experts(*device.backend, t * w), weights(*device.backend, t * w) {}
    [[nodiscard]] kernels::RoutingView view() { return {tokens, width, experts.view(), weights.view()}; }
};

// The same in the host's memory.
struct HostRouting {
    std::int64_t tokens = 0, width = 0;
    std::vector<ExpertIndex> experts;
    std::vector<float> weights;

    HostRouting(std::int64_t t, std::int64_t w)
        : tokens(t), width(w), experts(static_cast<std::size_t>(t * w), no_expert), weights(experts.size()) {}
    HostRouting(const Device& device, const DeviceRouting& r)
        : tokens(r.tokens), width(r.width), experts(device.host(r.experts)), weights(device.host(r.weights)) {}
    [[nodiscard]] DeviceRouting on(const Device& device) const;
    bool operator==(const HostRouting&) const = default;
};

// Standard normal numbers, the same for the same seed; rounded to what a table of that type holds.
std::vector<float> normal_numbers(std::uint64_t seed, std::int64_t count,
                                  kernels::Scalar scalar = kernels::Scalar::fp32);
// Whether both have the same bits, all NaNs being equal; otherwise says where they differ.
bool same_bits(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace moesim::test
