#pragma once
// Loops along one row. Plain loops are left to the compiler, which makes vector code of them at every level.
#include "kernels/cpu/vector/lanes.hpp"
#include "kernels/rounding.hpp"
#include "kernels/scalar.hpp"

namespace moesim::kernels::MOESIM_CODE {

using i64 = std::int64_t;

inline float load(const float* x) { return *x; }
inline float load(const bfloat16* x) { return static_cast<float>(*x); }
template <class T>
T rounded(float x) {
    return T(x);
}

inline constexpr i64 line = 64;  // bytes of a line of the caches

// The line that is read so much later begins its way: rows lie anywhere, and what the processor foresees by itself
// ends with a row or a page. Measured: half a kilobyte is too near, one and two are as good; into the second-level
// cache, for the first has too few lines on their way at once.
inline constexpr i64 ahead = 2048;
inline void fetch(const void* from, const void* next, i64 at, i64 bytes) {
    const auto* const here = static_cast<const char*>(from);
    const auto* const then = static_cast<const char*>(next);
    __builtin_prefetch(at + ahead < bytes ? here + at + ahead : then + (at + ahead - bytes), 0, 2);
}

// Lines from where all is near to where it is wanted; `past_caches` asks for a target that begins a line.
template <i64 bytes>
void store(const void* from, void* to, bool past_caches) {
    if (past_caches) {
        for (i64 i = 0; i < bytes; i += line)
            store_past_caches(static_cast<const char*>(from) + i, static_cast<char*>(to) + i);
    } else {
        __builtin_memcpy(to, from, static_cast<std::size_t>(bytes));
    }
}
inline bool begins_a_line(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % line == 0; }

inline void copy(const void* from, const void* next, i64 bytes, void* to, bool past_caches) {
    const auto* const source = static_cast<const char*>(from);
    auto* const target = static_cast<char*>(to);
    const bool past = past_caches && begins_a_line(to);
    i64 i = 0;
    for (; i + 2 * line <= bytes; i += 2 * line) {
        fetch(from, next, i, bytes);
        fetch(from, next, i + line, bytes);
        store<2 * line>(source + i, target + i, past);
    }
    __builtin_memcpy(target + i, source + i, static_cast<std::size_t>(bytes - i));
    if (past) finish_stores();
}

inline constexpr std::uint32_t magnitude_bits = 0x7fffffffU, infinity_bits = 0x7f800000U;

template <class T>
float largest_magnitude(const T* x, i64 count) {
    // Magnitudes are in the order of their bits, as which a maximum is vector code whatever the NaNs.
    auto largest = static_cast<std::int32_t>(bits_of(0x1p-100F));
    for (i64 i = 0; i < count; ++i) {
        const std::uint32_t m = bits_of(load(x + i)) & magnitude_bits;
        const auto counted = static_cast<std::int32_t>(m > infinity_bits ? 0U : m);
        largest = largest < counted ? counted : largest;
    }
    return float_of(static_cast<std::uint32_t>(largest));
}

inline constexpr i64 at_once = 128;  // columns: a block of scales, and lines of every type

template <class T>
void compress(const void* from, const void* next, i64 cols, i64 block, std::uint8_t* codes, float* scales) {
    const T* const x = static_cast<const T*>(from);
    constexpr i64 size = sizeof(T);
    if (block == 0) scales[0] = 0x1p-100F / float8_e4m3::largest;  // a row without columns has a scale all the same
    for (i64 begin = 0, b = 0; begin < cols; begin += block, ++b) {
        const i64 count = begin + block < cols ? block : cols - begin;
        for (i64 i = begin * size; i < (begin + count) * size; i += line) fetch(from, next, i, cols * size);
        const float most = largest_magnitude(x + begin, count), inverse = float8_e4m3::largest / most;
        scales[b] = most / float8_e4m3::largest;
        for (i64 i = begin; i < begin + count; ++i) codes[i] = float8_e4m3(load(x + i) * inverse).bits;
    }
}

template <class T>
void expand(const std::uint8_t* codes, const void* next, const float* scales, i64 cols, i64 block, void* to,
            bool past_caches) {
    alignas(64) T stored[at_once];
    T* const out = static_cast<T*>(to);
    const bool past = past_caches && begins_a_line(to);
    for (i64 begin = 0; begin < cols; begin += at_once) {
        const i64 count = cols - begin < at_once ? cols - begin : at_once;
        for (i64 i = begin; i < begin + count; i += line) fetch(codes, next, i, cols);
        const float scale = scales[begin / block];
        for (i64 j = 0; j < count; ++j) {
            float8_e4m3 code;
            code.bits = codes[begin + j];
            stored[j] = rounded<T>(static_cast<float>(code) * scale);
        }
        if (count == at_once)
            store<at_once* static_cast<i64>(sizeof(T))>(stored, out + begin, past);
        else
            __builtin_memcpy(out + begin, stored, static_cast<std::size_t>(count) * sizeof(T));
    }
    if (past) finish_stores();
}

// A few columns of all rows at once, so that sums stay in registers and each row is read once from end to end.
template <class T>
void combine(const void* const* rows, const float* weights, i64 count, i64 cols, void* to, bool past_caches) {
    constexpr i64 size = sizeof(T), step = 2 * lanes;
    alignas(64) float sums[step];
    alignas(64) T stored[step];
    T* const out = static_cast<T*>(to);
    const bool past = past_caches && begins_a_line(to);
    i64 begin = 0;
    for (; begin + step <= cols; begin += step) {
        sixteen low = {}, high = {};
        for (i64 i = 0; i < count; ++i) {
            const T* const row = static_cast<const T*>(rows[i]) + begin;
            for (i64 l = 0; l < step * size; l += line) fetch(rows[i], rows[count + i], begin * size + l, cols * size);
            low = low + weights[i] * load_sixteen(row);
            high = high + weights[i] * load_sixteen(row + lanes);
        }
        __builtin_memcpy(sums, &low, sizeof low);
        __builtin_memcpy(sums + lanes, &high, sizeof high);
        for (i64 j = 0; j < step; ++j) stored[j] = rounded<T>(sums[j]);
        store<step * size>(stored, out + begin, past);
    }
    for (; begin < cols; ++begin) {
        float sum = 0;
        for (i64 i = 0; i < count; ++i) sum += weights[i] * load(static_cast<const T*>(rows[i]) + begin);
        out[begin] = rounded<T>(sum);
    }
    if (past) finish_stores();
}

template <class T>
void add(const void* a, const void* b, i64 cols, void* to, bool past_caches) {
    alignas(64) T stored[at_once];
    T* const out = static_cast<T*>(to);
    const bool past = past_caches && begins_a_line(to);
    i64 begin = 0;
    const auto sum = [&](i64 j) {
        return rounded<T>(load(static_cast<const T*>(a) + begin + j) + load(static_cast<const T*>(b) + begin + j));
    };
    for (; begin + at_once <= cols; begin += at_once) {
        for (i64 j = 0; j < at_once; ++j) stored[j] = sum(j);
        store<at_once* static_cast<i64>(sizeof(T))>(stored, out + begin, past);
    }
    for (i64 j = 0; j < cols - begin; ++j) out[begin + j] = sum(j);
    if (past) finish_stores();
}

template <class T>
void round_products(float weight, const Grid& grid, i64 cols, void* row) {
    const Grid here = grid;  // which the row does not change
    T* const x = static_cast<T*>(row);
    for (i64 i = 0; i < cols; ++i) x[i] = rounded<T>(here.nearest(weight * load(x + i)));
}

inline void widen(const std::uint16_t* bf16, i64 count, float* to) {
    for (i64 i = 0; i < count; ++i) to[i] = float_of(static_cast<std::uint32_t>(bf16[i]) << 16);
}
inline void narrow(const float* from, i64 count, std::uint16_t* bf16) {
    for (i64 i = 0; i < count; ++i) bf16[i] = bfloat16(from[i]).bits;
}
inline void round_to_bf16(float* values, i64 count) {
    for (i64 i = 0; i < count; ++i) values[i] = static_cast<float>(bfloat16(values[i]));
}

inline void swiglu(const float* gate, const float* up, i64 count, float* to) {
    for (i64 i = 0; i < count; ++i) to[i] = gate[i] / (1.0F + exact_exp(-gate[i])) * up[i];
}
inline void gelu(float* values, i64 count) {
    constexpr float twice_root = 1.5957691216057308F;  // 2 sqrt(2 / pi)
    for (i64 i = 0; i < count; ++i) {
        const float z = values[i];
        values[i] = z / (1.0F + exact_exp(-twice_root * (z + 0.044715F * z * z * z)));
    }
}

}  // namespace moesim::kernels::MOESIM_CODE
