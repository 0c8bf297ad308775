#include "study/simulated_makespans.hpp"

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "base/error.hpp"
#include "placement/document.hpp"
#include "study/run_apart.hpp"

namespace moesim {
namespace {

constexpr std::size_t most_batches = 8;  // a decoding batch has few tokens, and one says little of the next

}  // namespace

std::function<std::vector<Seconds>(const std::vector<Placement>&)> simulated_makespans(const Scenario& scenario,
                                                                                       const std::string& origin,
                                                                                       const PlanningOptions& options,
                                                                                       const std::string& program,
                                                                                       const std::string& folder) {
    return [=](const std::vector<Placement>& placements) {
        const std::string apart = (std::filesystem::path(folder) / "learned").string();
        std::error_code error;
        std::filesystem::create_directories(apart, error);
        if (error) throw InputError(apart + ": cannot create the folder: " + error.message());
        const std::vector<Scenario> batches = learned_batches(scenario, origin, options, most_batches, apart);
        std::vector<NamedRun> runs;
        for (const Placement& placement : placements) {
            const auto document = std::make_shared<const PlacementDocument>(to_document(placement, "candidate"));
            for (Scenario batch : batches) {
                batch.placement.document = document;
                runs.push_back({std::to_string(runs.size()), std::move(batch)});
            }
        }
        const std::vector<Seconds> makespans = makespans_apart(program, runs, apart);
        std::vector<Seconds> times(placements.size());
        for (std::size_t i = 0; i < makespans.size(); ++i)
            times[i / batches.size()] += makespans[i] * (1.0 / static_cast<double>(batches.size()));
        return times;
    };
}

}  // namespace moesim
