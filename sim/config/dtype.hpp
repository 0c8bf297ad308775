#pragma once
// Number formats of activations and weights.
#include <array>
#include <string_view>

namespace moesim {

enum class Dtype : unsigned char { bf16, fp8 };

inline constexpr std::array<std::string_view, 2> dtype_names = {"bf16", "fp8"};
constexpr std::string_view name(Dtype d) { return dtype_names[static_cast<std::size_t>(d)]; }
constexpr int bytes_of(Dtype d) { return d == Dtype::fp8 ? 1 : 2; }

}  // namespace moesim
