#pragma once
// mpirun on a testbed's hosts.
#include <filesystem>
#include <string>
#include <vector>

#include "calibrate/testbed/plan.hpp"

namespace moesim::testbed {

// Ranks of a testbed find its document there (`testbed_document` of its folder): what they run on, and that messages go
// on while nobody looks.
inline constexpr auto environment_variable = "MOESIM_TESTBED";
inline constexpr auto testbed_document = "testbed.json";

// "gpu0 slots=1" and so on: in the order of ranks.
std::string host_file(const Plan& plan);

// What mpirun calls in the place of ssh, with a host's name and a shell's command line: it enters the host's network
// namespace (and its CPU group), where the machine's name is the host's.
std::string launch_agent(const Plan& plan);

// The namespace that mpirun belongs into, what all its runs there have in common, one argument a line: launch.txt.
// `folder` holds the files "hosts" and "agent", and gets OpenMPI's own in "tmp".
std::vector<std::string> mpirun_arguments(const Plan& plan, const std::filesystem::path& folder);

}  // namespace moesim::testbed
