#include "workload/softmax.hpp"

#include <array>
#include <limits>

#include "base/float_math.hpp"

namespace moesim {
namespace {

constexpr std::size_t lanes = 8;

}  // namespace

float largest(std::span<const float> values) {
    std::array<float, lanes> most{};
    most.fill(-std::numeric_limits<float>::infinity());
    std::size_t i = 0;
    for (; i + lanes <= values.size(); i += lanes)
        for (std::size_t j = 0; j < lanes; ++j) most[j] = most[j] < values[i + j] ? values[i + j] : most[j];
    for (std::size_t j = 0; i < values.size(); ++i, ++j) most[j] = most[j] < values[i] ? values[i] : most[j];
    float best = most[0];
    for (const float m : most) best = best < m ? m : best;
    return best;
}

double sum(std::span<const float> values) {
    std::array<double, lanes> part{};
    std::size_t i = 0;
    for (; i + lanes <= values.size(); i += lanes)
        for (std::size_t j = 0; j < lanes; ++j) part[j] += static_cast<double>(values[i + j]);
    for (std::size_t j = 0; i < values.size(); ++i, ++j) part[j] += static_cast<double>(values[i]);
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

double exp_below_largest(std::span<float> logits) {
    const float top = largest(logits);
    for (float& l : logits) l = float_exp(l - top);
    return sum(logits);
}

void softmax(std::span<float> logits) {
    const auto share = static_cast<float>(1 / exp_below_largest(logits));
    for (float& l : logits) l *= share;
}

}  // namespace moesim
