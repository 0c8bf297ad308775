#pragma once
// That what runs on a testbed was asked of its topology.
#include <filesystem>
#include <string>

#include "config/scenario.hpp"

namespace moesim::testbed {

// Whether ranks that `testbed run` started are on the scenario's topology, by whatever name: times of another one would
// look like measurements of this. Nothing is asked outside of testbeds. `file`: the scenario's. Throws InputError.
void expect_topology(const Scenario& scenario, const std::string& file);

// The same, of the testbed that the document (moesim.testbed/1) describes.
void expect_topology(const Scenario& scenario, const std::string& file, const std::filesystem::path& document);

}  // namespace moesim::testbed
