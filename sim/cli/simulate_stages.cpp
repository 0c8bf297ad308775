#include "cli/simulate_stages.hpp"

#include "base/error.hpp"
#include "cli/this_program.hpp"

namespace moesim {

std::vector<SimulatedStages> simulate_stages(const std::vector<NamedRun>& runs, const std::string& folder,
                                             const std::function<void(std::size_t ended)>& ended) {
    std::vector<SimulatedStages> stages;
    stages.reserve(runs.size());
    for (const RunOutcome& outcome : try_apart(this_program(), runs, folder, ended)) {
        if (!outcome.failure.empty()) throw InputError(outcome.failure);
        stages.push_back(simulated_stages(outcome.result));
    }
    return stages;
}

}  // namespace moesim
