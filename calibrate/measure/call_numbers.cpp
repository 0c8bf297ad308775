#include "calibrate/measure/call_numbers.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/random.hpp"

namespace moesim {
namespace {

constexpr std::int64_t bf16_bytes = 2;
constexpr std::int64_t row_gap = 256;  // bytes: where tables begin
constexpr std::uint64_t drawn_for = 0x63616c6962726174;

std::int64_t aligned(std::int64_t cols) { return (cols + 7) / 8 * 8; }

}  // namespace

void CallNumbers::need(std::int64_t row_bytes, std::int64_t weight_bytes) {
    row_bytes_ = std::max(row_bytes_, row_bytes);
    weight_bytes_ = std::max(weight_bytes_, weight_bytes);
}

void CallNumbers::make(kernels::Backend& backend, kernels::Stream& stream) {
    if (made_by_ == &backend) return;
    // Numbers repeat after some thousands, at another place of each row: drawing takes long.
    constexpr std::size_t period = 4099;
    RandomStream random(stream_key(1, drawn_for), 0);
    std::vector<float> draws(period), host(4096 * period);
    for (float& d : draws) d = static_cast<float>(0.05 * random.normal());
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = draws[i % period];
    const std::int64_t bytes = row_bytes_ + weight_bytes_ + 2 * row_gap;
    all_ = kernels::Array<std::uint16_t>(backend, bytes / bf16_bytes);
    std::vector<kernels::bfloat16> narrow(host.begin(), host.end());
    const auto piece = static_cast<std::int64_t>(narrow.size()) * bf16_bytes;
    for (std::int64_t at = 0; at < bytes; at += piece)
        stream.copy_in(reinterpret_cast<char*>(all_.view().data) + at, narrow.data(), std::min(piece, bytes - at));
    stream.synchronize();
    made_by_ = &backend;
}

kernels::ConstMatrixView CallNumbers::rows(std::int64_t count, std::int64_t cols) const {
    return table(0, count, cols);
}

kernels::ConstMatrixView CallNumbers::weights(std::int64_t turn, std::int64_t count, std::int64_t cols) const {
    const std::int64_t size = (count * aligned(cols) * bf16_bytes + row_gap - 1) / row_gap * row_gap;
    const std::int64_t tables = std::max<std::int64_t>(1, weight_bytes_ / size);
    return table(row_bytes_ / row_gap * row_gap + row_gap + turn % tables * size, count, cols);
}

kernels::ConstMatrixView CallNumbers::table(std::int64_t at, std::int64_t count, std::int64_t cols) const {
    return {all_.view().data + at / bf16_bytes, kernels::Scalar::bf16, count, cols, aligned(cols)};
}

}  // namespace moesim
