#pragma once
// How a number is stored.
#include <array>
#include <cstdint>
#include <string_view>

#include "kernels/bfloat16.hpp"
#include "kernels/float8.hpp"

namespace moesim::kernels {

enum class Scalar : unsigned char { fp32, bf16, fp8_e4m3 };
inline constexpr std::array<std::string_view, 3> scalar_names = {"fp32", "bf16", "fp8_e4m3"};  // [Scalar]
constexpr std::string_view name(Scalar s) { return scalar_names[static_cast<std::size_t>(s)]; }
constexpr std::int64_t bytes_of(Scalar s) { return s == Scalar::fp32 ? 4 : s == Scalar::bf16 ? 2 : 1; }

template <class T>
inline constexpr Scalar scalar_of = Scalar::fp32;
template <>
inline constexpr Scalar scalar_of<bfloat16> = Scalar::bf16;
template <>
inline constexpr Scalar scalar_of<float8_e4m3> = Scalar::fp8_e4m3;

}  // namespace moesim::kernels
