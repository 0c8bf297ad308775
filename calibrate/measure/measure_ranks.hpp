#pragma once
// What only several ranks can measure: links, and how they and computing get in each other's way.
#include <functional>
#include <string>
#include <vector>

#include "calibrate/execute/transport.hpp"
#include "calibrate/measure/fit_links.hpp"
#include "config/scenario.hpp"

namespace moesim {

// What one rank sends another in a chunk of a dispatch of the scenario, were its routing even and every choice a copy.
Bytes usual_message(const Scenario& scenario);

// Keeps all ranks but 0 waiting, without using their cores, until rank 0 calls it too.
void wait_for_first(Transport& transport);

struct RankMeasurement {
    std::vector<LinkTimes> times;
    std::vector<std::string> notes;
};

// All ranks call it with the same scenario; rank 0 gets `profile` with its links and its overlap set. work: a piece of
// computing, for the latter. Throws InputError where there are not as many ranks as the topology has GPUs.
RankMeasurement measure_links(Transport& transport, const Scenario& scenario, bool quick, const std::string& how,
                              const std::function<void()>& work, Profile& profile,
                              const std::function<void(std::string_view, double)>& progress);

}  // namespace moesim
