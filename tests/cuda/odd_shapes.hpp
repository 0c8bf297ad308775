#pragma once
// Every CUDA kernel on the shim over odd shapes, held against the CPU: what a sanitizer, with which the program is
// built, is to look at.
#include <array>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "kernels/backend.hpp"

namespace moesim::odd_shapes {

using namespace kernels;

struct Side {
    std::unique_ptr<Backend> backend;
    std::unique_ptr<Stream> stream;

    template <class T>
    [[nodiscard]] Array<T> array(const std::vector<T>& host) const {
        return upload<T>(*backend, *stream, std::span<const T>(host));
    }
    // Of just the size that it needs: nothing lies behind the last row's last element.
    struct Table {
        Array<std::uint8_t> bytes;
        MatrixView view;
    };
    [[nodiscard]] Table table(Scalar scalar, std::int64_t rows, std::int64_t cols) const {
        const std::int64_t in_16_bytes = 16 / bytes_of(scalar),
                           stride = (cols + in_16_bytes - 1) / in_16_bytes * in_16_bytes;
        Table t{{*backend, rows > 0 ? ((rows - 1) * stride + cols) * bytes_of(scalar) : 0}, {}};
        t.view = {t.bytes.view().data, scalar, rows, cols, stride};
        stream->fill_bytes(t.view.data, 0x11, t.bytes.size());
        return t;
    }
    // The same normal numbers for the same seed.
    [[nodiscard]] Table numbers(Scalar scalar, std::int64_t rows, std::int64_t cols, std::uint64_t seed) const {
        Table t = table(scalar, rows, cols);
        RandomStream random(stream_key(seed, 90), 0);
        for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t c = 0; c < cols; ++c) {
                const auto x = static_cast<float>(random.normal());
                if (scalar == Scalar::fp32)
                    t.view.as<float>().row(r)[c] = x;
                else
                    t.view.as<bfloat16>().row(r)[c] = bfloat16(x);
            }
        return t;
    }
    [[nodiscard]] Operations& operations() const { return backend->operations(); }
};

// All that an operation has written, as bytes, or as numbers where it is not exact.
using Bytes = std::vector<std::uint8_t>;
template <class T>
void append(Bytes& to, const Side& side, const Array<T>& array) {
    const std::vector<T> host = download(*side.stream, array.view());
    const std::size_t before = to.size();
    to.resize(before + host.size() * sizeof(T));
    if (!host.empty()) std::memcpy(to.data() + before, host.data(), host.size() * sizeof(T));
}

// What differs, by name; empty where nothing does. `both`: the CPU, then the shim.
std::string rows(const Side (&both)[2]);
std::string experts(const Side (&both)[2]);
std::string routing(const Side (&both)[2]);

}  // namespace moesim::odd_shapes
