#pragma once
// What grouped products are held against.
#include <cstdint>

namespace moesim::bench {

// c = a b', a being m x k and b n x k, by Eigen as it comes, compiled for this very machine.
void dense_product(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* b, float* c,
                   int threads);

}  // namespace moesim::bench
