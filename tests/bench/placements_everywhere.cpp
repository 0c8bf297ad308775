// Every shipped scenario under every placement method, learned and judged on different tokens: is `search` ever beaten,
// and by how much is it ahead? Prints as it goes; takes a quarter of an hour; asserts nothing.
// moesim_placements_everywhere [COPIES_A_GPU [SECONDS]]: slots of a GPU beyond its share of the experts (0), and the
// time that a method may search (10).
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/scenario_json.hpp"
#include "study/compare.hpp"

using namespace moesim;

namespace {

namespace fs = std::filesystem;

double median(std::vector<double> v) {
    if (v.empty()) return 0;
    std::sort(v.begin(), v.end());
    return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2;
}

std::vector<std::string> methods_for(const Scenario& s, bool copies) {
    std::vector<std::string> names;
    for (const PlannerMethod& m : planner_methods()) {
        if (m.name == "search") continue;
        // CBC does not end the root of programs with more experts within such limits.
        if (m.uses.program_file && s.model.experts * s.model.moe_layers > 512) continue;
        if (!copies && (m.name == "eplb" || m.name == "shadowing")) continue;  // nothing to copy to
        names.emplace_back(m.name);
    }
    names.emplace_back("search");
    return names;
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t copies = argc > 1 ? std::stoul(argv[1]) : 0;
    const double seconds = argc > 2 ? std::stod(argv[2]) : 10;
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(MOESIM_SOURCE_DIR "/scenarios"))
        if (entry.path().extension() == ".json" && entry.path().string().find("learned") == std::string::npos)
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());

    std::vector<double> over_all, over_best;
    fmt::print("search against the others: time of a layer, simulated, on batches that nothing was learned from\n");
    fmt::print("{:<52} {:>9} {:>9} {:>9}  {}\n", "", "search ms", "best", "median", "best of the others");
    for (const fs::path& file : files) {
        const std::string folder = (fs::temp_directory_path() / "moesim-everywhere").string();
        fs::create_directories(folder);
        const Scenario s = load_scenario(file.string());
        CompareOptions o;
        o.methods = methods_for(s, copies > 0);
        o.batches = 3;
        o.effort.seconds = seconds;
        o.planning.redundant = copies * static_cast<std::size_t>(s.parallelism.expert);
        o.program = MOESIM_PROGRAM;
        o.folder = folder;
        const std::string name = fs::relative(file, MOESIM_SOURCE_DIR "/scenarios").replace_extension().string();
        try {
            const Comparison c = compare(s, file.string(), o, [](const std::string&) {});
            const double ours = c.methods.back().layer_mean_s;
            std::vector<double> ahead;
            const ComparedMethod* best = nullptr;
            for (const ComparedMethod& m : c.methods) {
                if (m.name == "search" || !m.failure.empty()) continue;
                ahead.push_back(m.layer_mean_s / ours - 1);
                if (best == nullptr || m.layer_mean_s < best->layer_mean_s) best = &m;
            }
            over_best.push_back(best->layer_mean_s / ours - 1);
            over_all.push_back(median(ahead));
            fmt::print("{:<52} {:>9.4g} {:>+8.2f}% {:>+8.2f}%  {}\n", name, ours * 1e3, 100 * over_best.back(),
                       100 * over_all.back(), best->name);
        } catch (const Error& e) {
            fmt::print("{:<52} {}\n", name, e.what());
        }
        std::fflush(stdout);
        fs::remove_all(folder);
    }
    fmt::print(
        "median of the scenarios: {:+.2f}% over the best other method, {:+.2f}% over the median one; at worst "
        "{:+.2f}%\n",
        100 * median(over_best), 100 * median(over_all), 100 * *std::min_element(over_best.begin(), over_best.end()));
    return 0;
}
