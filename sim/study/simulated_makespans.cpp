#include "study/simulated_makespans.hpp"

#include <fmt/format.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "placement/document.hpp"
#include "planner/stopwatch.hpp"
#include "study/run_apart.hpp"

namespace moesim {
namespace {

// A decoding batch has few tokens, and one says little of the next. With a clock it decides how many.
constexpr std::size_t most_batches = 8, most_in_time = 64;

std::size_t cores() { return static_cast<std::size_t>(tbb::this_task_arena::max_concurrency()); }

}  // namespace

SimulatePlacements simulated_makespans(const Scenario& scenario, const std::string& origin,
                                       const PlanningOptions& options, const std::string& program,
                                       const std::string& folder) {
    return [=](const std::vector<Placement>& placements, std::optional<double> seconds) {
        const Stopwatch watch;
        const std::string apart = (std::filesystem::path(folder) / "learned").string();
        std::error_code error;
        std::filesystem::create_directories(apart, error);
        if (error) throw InputError(apart + ": cannot create the folder: " + error.message());
        const std::vector<Scenario> batches =
            learned_batches(scenario, origin, options, seconds ? most_in_time : most_batches, apart);
        std::vector<std::shared_ptr<const PlacementDocument>> documents;
        documents.reserve(placements.size());
        for (const Placement& placement : placements)
            documents.push_back(std::make_shared<const PlacementDocument>(to_document(placement, "candidate")));
        std::vector<Seconds> times(placements.size());
        std::size_t first = 0;
        while (first < batches.size() && (first == 0 || !seconds || watch.elapsed().value() < *seconds)) {
            // Enough at once for all cores; without a clock, all.
            const std::size_t at_once = seconds ? cores() / placements.size() + 1 : batches.size();
            const std::size_t end = std::min(batches.size(), first + at_once);
            std::vector<NamedRun> runs;
            for (std::size_t b = first; b < end; ++b)
                for (std::size_t p = 0; p < placements.size(); ++p) {
                    runs.push_back({fmt::format("{}-{}", p, b), batches[b]});
                    runs.back().scenario.placement.document = documents[p];
                }
            const std::vector<Seconds> makespans = makespans_apart(program, runs, apart);
            for (std::size_t i = 0; i < makespans.size(); ++i) times[i % placements.size()] += makespans[i];
            first = end;
        }
        for (Seconds& t : times) t = t * (1.0 / static_cast<double>(first));
        return times;
    };
}

}  // namespace moesim
