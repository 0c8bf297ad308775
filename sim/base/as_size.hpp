#pragma once
// A count of the model's as an index or a size of the standard library's, which are unsigned.
#include <cstddef>
#include <cstdint>

namespace moesim {

// `n` is not negative.
constexpr std::size_t as_size(std::int64_t n) { return static_cast<std::size_t>(n); }

}  // namespace moesim
