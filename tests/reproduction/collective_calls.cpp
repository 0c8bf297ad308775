#include "reproduction/collective_calls.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "calibrate/collective_groups.hpp"
#include "reproduction/measured.hpp"

namespace moesim::test {
namespace {

double quantile(std::vector<double> values, double part) {
    std::sort(values.begin(), values.end());
    const double at = part * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

template <class Take>
std::vector<PredictedCall> chosen(const std::vector<PredictedCall>& calls, Take take) {
    std::vector<PredictedCall> all;
    std::copy_if(calls.begin(), calls.end(), std::back_inserter(all), take);
    return all;
}

}  // namespace

std::vector<PredictedCall> CollectiveGroup::fitted() const {
    return chosen(calls, [](const PredictedCall& c) { return c.fitted; });
}
std::vector<PredictedCall> CollectiveGroup::held() const {
    return chosen(calls, [](const PredictedCall& c) { return !c.fitted; });
}
std::vector<PredictedCall> CollectiveGroup::large_held() const {
    return chosen(calls, [](const PredictedCall& c) { return !c.fitted && c.large; });
}
std::vector<PredictedCall> CollectiveGroup::uncontradicted_held() const {
    return chosen(calls, [](const PredictedCall& c) { return !c.fitted && !c.contradicted; });
}

Profile shipped_profile(const std::string& name) {
    const std::string file = std::string(MOESIM_SOURCE_DIR) + "/topologies/profiles/" + name + ".json";
    std::ifstream in(file);
    return parse_profile(nlohmann::json::parse(in), file);
}

Errors errors_of(const std::vector<PredictedCall>& calls) {
    std::vector<double> errors;
    double sum = 0;
    for (const PredictedCall& c : calls) {
        errors.push_back(std::abs(c.error()));
        sum += c.error();
    }
    return {quantile(errors, 0.5), quantile(errors, 0.9), quantile(errors, 1), sum / static_cast<double>(calls.size())};
}

std::vector<CollectiveGroup> reproduce_collectives() {
    std::vector<CollectiveGroup> all;
    for (const Group& group : collective_groups(measured_calls())) {
        const Profile profile = shipped_profile(group.machine);
        CollectiveGroup& g = all.emplace_back();
        g = {group.name, group.machine, group.fitted_to, group.held_out, group.samples.size(), {}};
        std::map<std::string, std::vector<double>> readings;
        std::map<std::string, double> least;  // of calls alike
        std::vector<std::string> alike;       // [call]
        for (const GroupSample& s : group.samples) {
            std::vector<double>& of_call = readings[s.call];
            of_call.push_back(s.sample.measured);
            if (of_call.size() > 1) continue;
            g.calls.push_back({s.call, s.share, s.fitted, s.large, s.sample.predict(profile), 0});
            alike.push_back(s.alike);
        }
        for (std::size_t i = 0; i < g.calls.size(); ++i) {
            PredictedCall& c = g.calls[i];
            c.measured = quantile(readings[c.call], 0.5);
            double& of_alike = least.try_emplace(alike[i], c.measured).first->second;
            of_alike = std::min(of_alike, c.measured);
        }
        for (std::size_t i = 0; i < g.calls.size(); ++i)
            g.calls[i].contradicted = !alike[i].empty() && g.calls[i].measured > 1.25 * least[alike[i]];
    }
    return all;
}

}  // namespace moesim::test
