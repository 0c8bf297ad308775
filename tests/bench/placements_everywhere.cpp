// Every shipped scenario under every placement method: is `search` ever beaten, by how much is it ahead, and by how
// much could any placement be? Prints as it goes; takes half an hour; asserts nothing.
// moesim_placements_everywhere [COPIES_A_GPU [SECONDS [WORD]]]: slots of a GPU beyond its share of the experts (0); the
// time that a method may search (10), or with 0 as many proposals for `search` on every machine, 200 for each expert of
// each layer, and 3 s for the others; and what names of scenarios must have in them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/scenario_json.hpp"
#include "planner/layer_time_search.hpp"
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

// How much longer one takes than the other, mean over batches, and the standard error of that mean.
struct Lead {
    double mean = 0, error = 0;
};
Lead lead(const ComparedMethod& ours, const ComparedMethod& other) {
    std::vector<double> each;
    for (std::size_t b = 0; b < ours.layer_batches_s.size(); ++b)
        each.push_back(other.layer_batches_s[b] / ours.layer_batches_s[b] - 1);
    const auto n = static_cast<double>(each.size());
    const double mean = std::accumulate(each.begin(), each.end(), 0.0) / n;
    double squares = 0;
    for (const double e : each) squares += (e - mean) * (e - mean);
    return {mean, n > 1 ? std::sqrt(squares / (n - 1) / n) : 0};
}

template <class Value>
const ComparedMethod& least(const std::vector<const ComparedMethod*>& methods, Value value) {
    return **std::min_element(methods.begin(), methods.end(),
                              [&](const auto* a, const auto* b) { return value(*a) < value(*b); });
}

struct Sums {
    std::vector<double> learned, judged, median_one, chosen, room;
};

void print_scenario(const std::string& name, const Comparison& c, Sums& sums) {
    const ComparedMethod& ours = c.methods.back();
    std::vector<const ComparedMethod*> others, known;
    std::vector<double> ahead;
    for (const ComparedMethod& m : c.methods) {
        if (m.name == "search" || !m.failure.empty()) continue;
        others.push_back(&m);
        if (m.learned_layer_s) known.push_back(&m);
        ahead.push_back(m.layer_mean_s / ours.layer_mean_s - 1);
    }
    // Of the others: the best where they learned, which a user would take; the best on the judged tokens, in hindsight.
    const ComparedMethod& chosen = least(known, [](const auto& m) { return *m.learned_layer_s; });
    const ComparedMethod& luckiest = least(others, [](const auto& m) { return m.layer_mean_s; });
    const ComparedMethod& closed = least(others, [](const auto& m) { return *m.closed_form_s; });
    const double learned = *chosen.learned_layer_s / *ours.learned_layer_s - 1;
    // What lies between the best other and the bound may go; the rest of its layer stays.
    const double may_go = *closed.closed_form_s - *c.closed_form_bound_s;
    const double room = *chosen.learned_layer_s / (*chosen.learned_layer_s - may_go) - 1;
    const Lead hindsight = lead(ours, luckiest), taken = lead(ours, chosen);
    sums.learned.push_back(learned);
    sums.judged.push_back(hindsight.mean);
    sums.chosen.push_back(taken.mean);
    sums.median_one.push_back(median(ahead));
    sums.room.push_back(room);
    fmt::print(
        "{:<42} {:>8.4g} {:>+7.2f}% {:<14} {:>+7.2f}% ±{:<5.2f} {:>+7.2f}% ±{:<5.2f} {:<14} {:>+7.2f}% {:>8.4g} "
        "{:>8.4g} {:>8.4g} {:>+7.2f}%\n",
        name, *ours.learned_layer_s * 1e3, 100 * learned, chosen.name, 100 * taken.mean, 100 * taken.error,
        100 * hindsight.mean, 100 * hindsight.error, luckiest.name, 100 * sums.median_one.back(),
        *ours.closed_form_s * 1e3, *closed.closed_form_s * 1e3, *c.closed_form_bound_s * 1e3, 100 * room);
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t copies = argc > 1 ? std::stoul(argv[1]) : 0;
    const double seconds = argc > 2 ? std::stod(argv[2]) : 10;
    const std::string word = argc > 3 ? argv[3] : "";
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(MOESIM_SOURCE_DIR "/scenarios"))
        if (entry.path().extension() == ".json" && entry.path().string().find("learned") == std::string::npos &&
            entry.path().string().find(word) != std::string::npos)
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());

    Sums sums;
    fmt::print(
        "A layer in ms, and how much longer others' placements take than search's. Learned: simulated on tokens that "
        "were\nlearned from, against the best other there. Judged: on 3 batches that nothing was learned from, mean "
        "and "
        "its standard\nerror: against that same other, against the one that is best there in hindsight, and against "
        "the "
        "median one.\nClosed form: of dispatch, experts and return on learned tokens: search, best other, and a bound "
        "on "
        "any placement of as\nmany slots; room: how far ahead of the best other any could be by that, of the whole "
        "layer.\n\n");
    fmt::print("{:<42} {:>8} {:>8} {:<14} {:>15} {:>15} {:<14} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "", "learned", "ahead",
               "of", "judged, of it", "of the best", "", "median", "closed", "other", "bound", "room");
    for (const fs::path& file : files) {
        const std::string folder =
            (fs::temp_directory_path() / fmt::format("moesim-everywhere-{}-{}", copies, seconds)).string();
        fs::create_directories(folder);
        const Scenario s = load_scenario(file.string());
        CompareOptions o;
        o.methods = methods_for(s, copies > 0);
        o.batches = 3;
        o.effort.seconds = seconds > 0 ? seconds : 3;
        if (seconds <= 0) o.effort.iterations = proposals_an_expert * s.model.moe_layers * s.model.experts;
        o.planning.redundant = copies * static_cast<std::size_t>(s.parallelism.expert);
        o.program = MOESIM_PROGRAM;
        o.folder = folder;
        const std::string name = fs::relative(file, MOESIM_SOURCE_DIR "/scenarios").replace_extension().string();
        try {
            print_scenario(name, compare(s, file.string(), o, [](const std::string&) {}), sums);
        } catch (const Error& e) {
            fmt::print("{:<42} {}\n", name, e.what());
        }
        std::fflush(stdout);
        fs::remove_all(folder);
    }
    if (sums.learned.empty()) return 0;
    const auto line = [](const char* what, const std::vector<double>& v) {
        fmt::print("{:<60} median {:>+6.2f}%, least {:>+6.2f}%, most {:>+6.2f}%\n", what, 100 * median(v),
                   100 * *std::min_element(v.begin(), v.end()), 100 * *std::max_element(v.begin(), v.end()));
    };
    fmt::print("\nOf {} scenarios\n", sums.learned.size());
    line("ahead of the best other, learned tokens", sums.learned);
    line("the same one, judged tokens", sums.chosen);
    line("ahead of the best other in hindsight, judged tokens", sums.judged);
    line("ahead of the median other, judged tokens", sums.median_one);
    line("room: ahead of the best other that any placement could be", sums.room);
    fmt::print("scenarios with room for 5%: {}\n",
               std::count_if(sums.room.begin(), sums.room.end(), [](double r) { return r >= 0.05; }));
    return 0;
}
