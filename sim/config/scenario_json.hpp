#pragma once
// Scenario <-> JSON.
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/reference.hpp"
#include "config/scenario.hpp"

namespace moesim {

// A scenario document, or that of a result or of an execution (moesim.run/1), which embed the scenario that they came
// from. Throws InputError.
Scenario parse_scenario(const nlohmann::json& json, const std::string& file, const ResolveFile& resolve);

// Reads a scenario (or result) file; its references are relative to its own folder. Throws InputError.
Scenario load_scenario(const std::filesystem::path& path);

// The resolved scenario: all defaults written out, topology and profile embedded. parse_scenario gives the same back.
nlohmann::ordered_json to_json(const Scenario& scenario);

}  // namespace moesim
