#pragma once
// Scenario <-> JSON.
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "config/scenario.hpp"

namespace moesim {

// A document that a scenario names by path, and the name that messages give it.
struct NamedDocument {
    std::string file;
    std::string text;
};
// Finds the document that a scenario refers to ("topology": "../x.json"); throws InputError where it cannot.
using ResolveFile = std::function<NamedDocument(const std::string& reference)>;

// A scenario document, or a result document, which embeds the scenario that it came from. Throws InputError.
Scenario parse_scenario(const nlohmann::json& json, const std::string& file, const ResolveFile& resolve);

// Reads a scenario (or result) file; its references are relative to its own folder. Throws InputError.
Scenario load_scenario(const std::filesystem::path& path);

// The resolved scenario: all defaults written out, topology and profile embedded. parse_scenario gives the same back.
nlohmann::ordered_json to_json(const Scenario& scenario);

}  // namespace moesim
