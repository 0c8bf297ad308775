#include "calibrate/validate/drawn_profile.hpp"

#include <algorithm>

#include "base/quantiles.hpp"
#include "base/random.hpp"

namespace moesim {
namespace {

constexpr std::uint64_t draws_purpose = 0x6472'6177'0000'0000;  // of no other stream

// A link's message takes `factor` times as long.
void slow_down(LinkProfile& link, double factor) {
    link.efficiency.value = std::min(max_link_efficiency, link.efficiency.value / factor);
    link.overhead.value = link.overhead.value * factor;
    if (link.gap) link.gap->value = link.gap->value * factor;
}

}  // namespace

Profile drawn_profile(const Profile& profile, std::uint64_t number) {
    Profile drawn = profile;
    RandomStream random(stream_key(draws_purpose, number), 0);
    const auto draw = [&](const std::vector<double>& residuals) {
        const double u = random.uniform();
        return residuals.empty() ? 1.0 : std::max(1e-3, quantile(residuals, u));
    };
    for (LinkProfile* link : {&drawn.nvlink, &drawn.nic, drawn.pcie ? &*drawn.pcie : nullptr})
        if (link != nullptr && link->residuals) slow_down(*link, draw(link->residuals->value));
    for (KernelLaw& law : drawn.kernels.laws) {
        const double factor = draw(law.fit.residuals);
        for (double& seconds : law.seconds_per) seconds = std::min(1.0, seconds * factor);
    }
    return drawn;
}

}  // namespace moesim
