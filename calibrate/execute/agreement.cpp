#include "calibrate/execute/agreement.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "calibrate/execute/made_model.hpp"

namespace moesim {

Agreement agreement(const Scenario& s, std::span<const float> expected, std::span<const float> found) {
    const auto hidden = static_cast<std::size_t>(s.model.hidden);
    if (expected.size() != found.size() || expected.size() % hidden != 0)
        throw InternalError(fmt::format("{} values of tokens against {}", found.size(), expected.size()));
    const std::int64_t dense = s.model.attention ? 1 + 2 * s.model.dense_layers_per_moe_layer : 0;
    const double root_of_additions = std::sqrt(static_cast<double>(s.model.moe_layers * (1 + dense)));
    Agreement worst;
    double worst_share = -1;
    for (std::size_t t = 0; t * hidden < expected.size(); ++t) {
        double squares = 0, off = 0;
        for (std::size_t i = t * hidden; i < (t + 1) * hidden; ++i) {
            squares += static_cast<double>(expected[i]) * expected[i];
            off += std::pow(static_cast<double>(found[i]) - expected[i], 2);
        }
        const double mean = 1 / static_cast<double>(hidden);
        Agreement one{static_cast<std::int64_t>(t), std::sqrt(off * mean),
                      root_of_additions * (result_step + std::ldexp(std::sqrt(squares * mean), -7))};
        if (std::isnan(one.difference)) one.difference = std::numeric_limits<double>::infinity();
        if (one.difference / one.allowed <= worst_share) continue;
        worst = one;
        worst_share = one.difference / one.allowed;
    }
    return worst;
}

std::string said(const Agreement& a) {
    return fmt::format("{} the tolerance: token {} is off most, by {:.2g} of at most {:.2g}",
                       a.within() ? "within" : "beyond", a.token, a.difference, a.allowed);
}

}  // namespace moesim
