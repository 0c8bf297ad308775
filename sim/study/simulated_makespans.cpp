#include "study/simulated_makespans.hpp"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.hpp"
#include "placement/document.hpp"
#include "study/run_apart.hpp"

namespace moesim {

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
        const Scenario batch = learned_batch(scenario, origin, options, apart);
        std::vector<Scenario> runs(placements.size(), batch);
        for (std::size_t i = 0; i < runs.size(); ++i)
            runs[i].placement.document =
                std::make_shared<const PlacementDocument>(to_document(placements[i], "candidate"));
        std::vector<Seconds> times;
        for (const auto& result : run_apart(program, runs, apart))
            times.emplace_back(result["makespan_s"].get<double>());
        return times;
    };
}

}  // namespace moesim
