#pragma once
// The few things that a compiler does not make of a plain loop: 16 floats at a time.
#include <cstdint>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "kernels/bfloat16.hpp"
#include "kernels/cpu/vector/level.hpp"

namespace moesim::kernels::MOESIM_CODE {

inline constexpr std::int64_t lanes = 16;

// Where a compiler would keep sums in memory: as many registers as 16 floats need.
using sixteen = float __attribute__((vector_size(64)));
inline sixteen load_sixteen(const float* x) {
    sixteen v;
    __builtin_memcpy(&v, x, sizeof v);
    return v;
}
inline sixteen load_sixteen(const bfloat16* x) {
    using halves = std::uint16_t __attribute__((vector_size(32)));
    using words = std::uint32_t __attribute__((vector_size(64)));
    halves h;
    __builtin_memcpy(&h, x, sizeof h);
    const words w = __builtin_convertvector(h, words) << 16;
    sixteen v;
    __builtin_memcpy(&v, &w, sizeof v);
    return v;
}

// In pairs: 0 and 8, 1 and 9, ..., then 0 and 4, ...
inline float sum_of(const sixteen& x) {
    float parts[lanes];
    __builtin_memcpy(parts, &x, sizeof x);
    for (std::int64_t half = lanes / 2; half > 0; half /= 2)
        for (std::int64_t l = 0; l < half; ++l) parts[l] += parts[l + half];
    return parts[0];
}

// Sum of x[i] y[i]: four registers of partial sums, added up in pairs, then what is left in ascending order.
inline float dot(const float* x, const float* y, std::int64_t count) {
    sixteen sums[4] = {};
    std::int64_t i = 0;
    for (; i + 4 * lanes <= count; i += 4 * lanes)
        for (int part = 0; part < 4; ++part)
            sums[part] += load_sixteen(x + i + part * lanes) * load_sixteen(y + i + part * lanes);
    for (; i + lanes <= count; i += lanes) sums[0] += load_sixteen(x + i) * load_sixteen(y + i);
    float sum = sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; i < count; ++i) sum += x[i] * y[i];
    return sum;
}

#if defined(__AVX2__)
inline float largest_of_16(const float* x) {
    const __m256 eight = _mm256_max_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}
#endif
#if defined(__AVX512F__)
// A bit for each that equals y.
inline unsigned equal_of_16(const float* x, float y) {
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(x), _mm512_set1_ps(y), _CMP_EQ_OQ);
}
// `to` is aligned to 64 bytes.
inline void store_past_caches(const char* from, char* to) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
}
#elif defined(__AVX2__)
inline unsigned equal_of_16(const float* x, float y) {
    const __m256 all = _mm256_set1_ps(y);
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x), all, _CMP_EQ_OQ));
    const int high = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x + 8), all, _CMP_EQ_OQ));
    return static_cast<unsigned>(low) | static_cast<unsigned>(high) << 8;
}
inline void store_past_caches(const char* from, char* to) {
    for (int i = 0; i < 64; i += 32)
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i),
                            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
}
#elif defined(__SSE2__)
inline float largest_of_16(const float* x) {
    __m128 four = _mm_max_ps(_mm_max_ps(_mm_loadu_ps(x), _mm_loadu_ps(x + 4)),
                             _mm_max_ps(_mm_loadu_ps(x + 8), _mm_loadu_ps(x + 12)));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}
inline unsigned equal_of_16(const float* x, float y) {
    const __m128 all = _mm_set1_ps(y);
    unsigned bits = 0;
    for (std::int64_t i = 0; i < 4; ++i)
        bits |= static_cast<unsigned>(_mm_movemask_ps(_mm_cmpeq_ps(_mm_loadu_ps(x + 4 * i), all))) << (4 * i);
    return bits;
}
inline void store_past_caches(const char* from, char* to) {
    for (int i = 0; i < 64; i += 16)
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + i),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
}
#else
inline float largest_of_16(const float* x) {
    float best = x[0];
    for (int i = 1; i < 16; ++i) best = best < x[i] ? x[i] : best;
    return best;
}
inline unsigned equal_of_16(const float* x, float y) {
    unsigned bits = 0;
    for (int i = 0; i < 16; ++i) bits |= (x[i] == y ? 1U : 0U) << i;
    return bits;
}
inline void store_past_caches(const char* from, char* to) { __builtin_memcpy(to, from, 64); }
#endif

// As many tokens as a register of this level has floats: what is done for several tokens at once, a lane each.
#if defined(__AVX512F__)
inline constexpr std::int64_t tokens_at_once = 16;
#elif defined(__AVX2__)
inline constexpr std::int64_t tokens_at_once = 8;
#else
inline constexpr std::int64_t tokens_at_once = 4;
#endif
using token_floats = float __attribute__((vector_size(4 * tokens_at_once)));
using token_ids = std::int32_t __attribute__((vector_size(4 * tokens_at_once)));

// to[c][token] = from[token][c]; rows of `from` lie `stride` apart; `count` is a multiple of 4.
inline void transpose(const float* from, std::int64_t stride, std::int64_t count, float* to) {
    for (std::int64_t c = 0; c < count; c += 4)
        for (std::int64_t t = 0; t < tokens_at_once; t += 4) {
            const float* const tile = from + t * stride + c;
            float* const out = to + c * tokens_at_once + t;
#if defined(__SSE2__)
            __m128 r0 = _mm_loadu_ps(tile), r1 = _mm_loadu_ps(tile + stride), r2 = _mm_loadu_ps(tile + 2 * stride),
                   r3 = _mm_loadu_ps(tile + 3 * stride);
            _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
            _mm_storeu_ps(out, r0);
            _mm_storeu_ps(out + tokens_at_once, r1);
            _mm_storeu_ps(out + 2 * tokens_at_once, r2);
            _mm_storeu_ps(out + 3 * tokens_at_once, r3);
#else
            for (int i = 0; i < 4; ++i)
                for (int j = 0; j < 4; ++j) out[i * tokens_at_once + j] = tile[j * stride + i];
#endif
        }
}

// Stores that went past the caches are in order with later ones after this.
inline void finish_stores() {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

}  // namespace moesim::kernels::MOESIM_CODE
