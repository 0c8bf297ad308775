#pragma once
// Catch2 of either generation: Debian 12 has version 2, newer distributions have version 3.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

namespace moesim::test {

// Equal to what was worked out by hand, but for rounding.
inline auto is(double by_hand) { return Approx(by_hand).epsilon(1e-9).margin(0); }

}  // namespace moesim::test
