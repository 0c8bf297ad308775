#pragma once
// Loops along one row. Plain loops are left to the compiler, which makes vector code of them at every level.
#include "kernels/cpu/vector/lanes.hpp"
#include "kernels/scalar.hpp"

namespace moesim::kernels {
namespace {  // NOLINT(google-build-namespaces)

using i64 = std::int64_t;

float load(const float* x) { return *x; }
float load(const bfloat16* x) { return static_cast<float>(*x); }
template <class T>
T rounded(float x) {
    return T(x);
}

void copy(const void* from, i64 bytes, void* to, bool past_caches) {
    const auto* source = static_cast<const char*>(from);
    auto* target = static_cast<char*>(to);
    if (!past_caches) {
        __builtin_memcpy(target, source, static_cast<std::size_t>(bytes));
        return;
    }
    const i64 to_aligned = static_cast<i64>(-reinterpret_cast<std::uintptr_t>(target) & 63U);
    const i64 head = to_aligned < bytes ? to_aligned : bytes;
    __builtin_memcpy(target, source, static_cast<std::size_t>(head));
    i64 i = head;
    for (; i + 64 <= bytes; i += 64) store_past_caches(source + i, target + i);
    __builtin_memcpy(target + i, source + i, static_cast<std::size_t>(bytes - i));
    finish_stores();
}

constexpr std::uint32_t magnitude_bits = 0x7fffffffU, infinity_bits = 0x7f800000U;

template <class T>
void compress(const void* from, i64 cols, i64 block, std::uint8_t* codes, float* scales) {
    const T* const x = static_cast<const T*>(from);
    for (i64 begin = 0, b = 0; begin < cols; begin += block, ++b) {
        const i64 end = begin + block < cols ? begin + block : cols;
        // Magnitudes are in the order of their bits, as which a maximum is vector code whatever the NaNs.
        auto largest = static_cast<std::int32_t>(bits_of(0x1p-100F));
        for (i64 i = begin; i < end; ++i) {
            const std::uint32_t m = bits_of(load(x + i)) & magnitude_bits;
            const auto counted = static_cast<std::int32_t>(m > infinity_bits ? 0U : m);
            largest = largest < counted ? counted : largest;
        }
        const float most = float_of(static_cast<std::uint32_t>(largest));
        const float inverse = float8_e4m3::largest / most;
        scales[b] = most / float8_e4m3::largest;
        for (i64 i = begin; i < end; ++i) codes[i] = float8_e4m3(load(x + i) * inverse).bits;
    }
    // Scales are written where there is nothing to scale as well.
    if (cols == 0 && block == 0) scales[0] = 0x1p-100F / float8_e4m3::largest;
}

template <class T>
void expand(const std::uint8_t* codes, const float* scales, i64 cols, i64 block, void* to) {
    T* const out = static_cast<T*>(to);
    for (i64 begin = 0, b = 0; begin < cols; begin += block, ++b) {
        const i64 end = begin + block < cols ? begin + block : cols;
        const float scale = scales[b];
        for (i64 i = begin; i < end; ++i) {
            float8_e4m3 code;
            code.bits = codes[i];
            out[i] = rounded<T>(static_cast<float>(code) * scale);
        }
    }
}

constexpr i64 columns_at_once = 1024;  // sums stay in the first-level cache

template <class T>
void combine(const void* const* rows, const float* weights, i64 count, i64 cols, void* to, bool past_caches) {
    alignas(64) float sum[columns_at_once];
    alignas(64) T stored[columns_at_once];
    for (i64 begin = 0; begin < cols; begin += columns_at_once) {
        const i64 n = cols - begin < columns_at_once ? cols - begin : columns_at_once;
        for (i64 j = 0; j < n; ++j) sum[j] = 0;
        for (i64 i = 0; i < count; ++i) {
            const T* const row = static_cast<const T*>(rows[i]) + begin;
            const float weight = weights[i];
            for (i64 j = 0; j < n; ++j) sum[j] += weight * load(row + j);
        }
        for (i64 j = 0; j < n; ++j) stored[j] = rounded<T>(sum[j]);
        copy(stored, n * static_cast<i64>(sizeof(T)), static_cast<T*>(to) + begin, past_caches);
    }
}

template <class T>
void add(const void* a, const void* b, i64 cols, void* to, bool past_caches) {
    alignas(64) T stored[columns_at_once];
    for (i64 begin = 0; begin < cols; begin += columns_at_once) {
        const i64 n = cols - begin < columns_at_once ? cols - begin : columns_at_once;
        const T* const first = static_cast<const T*>(a) + begin;
        const T* const second = static_cast<const T*>(b) + begin;
        for (i64 j = 0; j < n; ++j) stored[j] = rounded<T>(load(first + j) + load(second + j));
        copy(stored, n * static_cast<i64>(sizeof(T)), static_cast<T*>(to) + begin, past_caches);
    }
}

void widen(const std::uint16_t* bf16, i64 count, float* to) {
    for (i64 i = 0; i < count; ++i) to[i] = float_of(static_cast<std::uint32_t>(bf16[i]) << 16);
}
void narrow(const float* from, i64 count, std::uint16_t* bf16) {
    for (i64 i = 0; i < count; ++i) bf16[i] = bfloat16(from[i]).bits;
}
void round_to_bf16(float* values, i64 count) {
    for (i64 i = 0; i < count; ++i) values[i] = static_cast<float>(bfloat16(values[i]));
}

void swiglu(const float* gate, const float* up, i64 count, float* to) {
    for (i64 i = 0; i < count; ++i) to[i] = gate[i] / (1.0F + exact_exp(-gate[i])) * up[i];
}
void gelu(float* values, i64 count) {
    constexpr float twice_root = 1.5957691216057308F;  // 2 sqrt(2 / pi)
    for (i64 i = 0; i < count; ++i) {
        const float z = values[i];
        values[i] = z / (1.0F + exact_exp(-twice_root * (z + 0.044715F * z * z * z)));
    }
}

}  // namespace
}  // namespace moesim::kernels
