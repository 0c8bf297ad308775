// moesim_fit_collectives MEASUREMENTS PROFILE: fits the part "collectives" of a profile to tables of timed calls,
// starting from the figures that it holds, and prints the profile with the fitted ones.
// With --folds it prints instead how far each share of each group is met by a fit to the group's other shares.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.hpp"
#include "calibrate/collective_groups.hpp"

namespace {

using namespace moesim;

std::vector<Sample> chosen(const Group& group, const std::function<bool(const GroupSample&)>& take) {
    std::vector<Sample> all;
    for (const GroupSample& s : group.samples)
        if (take(s)) all.push_back(s.sample);
    return all;
}

void print_errors(const Group& group, const std::string& share, const Profile& profile,
                  const std::vector<Sample>& samples) {
    std::vector<double> errors;
    errors.reserve(samples.size());
    for (const Sample& s : samples) errors.push_back(100 * std::abs(s.predict(profile) / s.measured - 1));
    std::sort(errors.begin(), errors.end());
    const auto at = [&](double part) { return errors[static_cast<std::size_t>(part * double(errors.size() - 1))]; };
    fmt::print("{:50} {:14} {:5} calls  median {:5.1f}%  p90 {:5.1f}%  worst {:5.1f}%\n", group.name, share,
               errors.size(), at(0.5), at(0.9), at(1));
}

void print_folds(const Group& group, const Profile& profile) {
    std::set<std::string> shares;
    for (const GroupSample& s : group.samples) shares.insert(s.share);
    if (shares.size() < 2) return;
    for (const std::string& share : shares) {
        Profile fold = profile;
        fit(fold, group.figures, chosen(group, [&](const GroupSample& s) { return s.share != share; }), group.scale);
        print_errors(group, share, fold, chosen(group, [&](const GroupSample& s) { return s.share == share; }));
        const auto large = chosen(group, [&](const GroupSample& s) { return s.share == share && s.large; });
        if (!large.empty()) print_errors(group, share + ", large", fold, large);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bool folds = argc == 4 && std::string_view(argv[3]) == "--folds";
    if (argc != 3 && !folds) {
        fmt::print(stderr, "usage: moesim_fit_collectives MEASUREMENTS PROFILE [--folds]\n");
        return 2;
    }
    try {
        std::ifstream in(argv[2]);
        auto document = nlohmann::ordered_json::parse(in);
        Profile profile = parse_profile(nlohmann::json(document), argv[2]);
        std::size_t found = 0;
        for (const Group& group : collective_groups(argv[1])) {
            if (group.machine != profile.name || group.figures.empty()) continue;
            ++found;
            if (folds) {
                print_folds(group, profile);
                continue;
            }
            const auto samples = chosen(group, [](const GroupSample& s) { return s.fitted; });
            fit(profile, group.figures, samples, group.scale);
            fmt::print(stderr, "{}: {} figures fitted to {} calls\n", group.name, group.figures.size(), samples.size());
        }
        if (found == 0)
            throw InputError(fmt::format("{}: no timed calls of the machine \"{}\"", argv[1], profile.name));
        document["collectives"] = to_json(profile.collectives);
        if (!folds) fmt::print("{}\n", document.dump(2, ' ', false));
        return 0;
    } catch (const std::exception& e) {
        fmt::print(stderr, "moesim_fit_collectives: {}\n", e.what());
        return 2;
    }
}
