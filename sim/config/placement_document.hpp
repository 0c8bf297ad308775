#pragma once
// moesim.placement/1: which expert of which layer lives where.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "config/json_object.hpp"

namespace moesim {

inline constexpr std::size_t max_positions = 65536, max_placed_layers = 1000, max_placed_experts = 16384;

// What a method made small, with its unit in the name, and a value that nothing which it allows is below.
struct PlacementObjective {
    std::string name;
    double value = 0;
    std::optional<double> bound;
    bool operator==(const PlacementObjective&) const = default;
};

// Every expert of every layer is somewhere. One at several places has that many copies; a position may hold several of
// them, and in a layer none at all.
struct PlacementDocument {
    std::string name;
    std::string source, method;  // of what and how it was made; may be empty
    std::optional<PlacementObjective> objective;
    std::size_t experts = 0, positions = 0;                       // of a layer; of an expert-parallel group
    std::vector<std::vector<std::vector<std::uint32_t>>> layers;  // [layer][position][slot]: experts

    // Copies of experts in one layer.
    [[nodiscard]] std::size_t copies(std::size_t layer) const;
    bool operator==(const PlacementDocument&) const = default;
};

// Throws InputError with file, JSON path, found and expected. `path` is where the object stands in its file.
PlacementDocument parse_placement(const nlohmann::json& json, const std::string& file, const std::string& path = "$");
nlohmann::ordered_json to_json(const PlacementDocument& document);

// An array of ids below `end`; at least `low` of them and at most `high`.
std::vector<std::uint32_t> parse_ids(const JsonValue& array, std::size_t low, std::size_t high, std::size_t end);
// Throws InputError where an expert is nowhere in the layer, which stands at `where`.
void require_all_experts(const JsonValue& where, const std::vector<std::vector<std::uint32_t>>& layer,
                         std::size_t experts);

}  // namespace moesim
