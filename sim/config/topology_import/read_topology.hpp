#pragma once
// A cluster from whatever file describes it, told by its content.
#include <filesystem>

#include "config/topology_spec.hpp"

namespace moesim {

// moesim.topology/1, SimAI's topology text, or nccl's topology XML. Throws InputError.
TopologySpec read_topology(const std::filesystem::path& path);
TopologySpec read_topology(std::string_view text, const std::string& file);

}  // namespace moesim
