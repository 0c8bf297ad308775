#pragma once
#include <algorithm>
#include <cmath>
#include "kernels/backend.hpp"
namespace moesim {
inline void round_products_tmp(kernels::ArrayView<const float> weights, float step, std::int64_t limit,
                               kernels::MatrixView rows) {
    const auto t = rows.as<kernels::bfloat16>();
    for (std::int64_t r = 0; r < t.rows; ++r)
        for (std::int64_t c = 0; c < t.cols; ++c) {
            float p = std::nearbyint(weights.data[r] * static_cast<float>(t.row(r)[c]) / step);
            if (std::isnan(p)) p = 0;
            t.row(r)[c] =
                kernels::bfloat16(step * std::clamp(p, -static_cast<float>(limit), static_cast<float>(limit)));
        }
}
}  // namespace moesim
