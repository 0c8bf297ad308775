#include "calibrate/base_profile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "base/error.hpp"
#include "calibrate/predict.hpp"
#include "calibrate/shipped_profiles.hpp"
#include "config/json_text.hpp"

namespace moesim {

Profile base_profile(const std::string& gpu) {
    std::vector<std::string> there;
    for (const ShippedProfile& p : shipped_profiles()) {
        there.push_back(gpu_of(p.name));
        if (there.back() == gpu) return parse_profile(parse_json(p.text, p.name), p.name);
    }
    throw InputError(
        fmt::format("--base: found nothing, expected a profile to start from, since none is shipped for {} "
                    "(only for {})",
                    gpu.empty() ? "a GPU that the tables do not name" : gpu, fmt::join(there, ", ")));
}

}  // namespace moesim
