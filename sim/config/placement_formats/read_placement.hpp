#pragma once
// A placement from whatever document describes it, told by its content.
#include <filesystem>
#include <optional>
#include <string>

#include "config/placement_document.hpp"
#include "config/placement_formats/placement_format.hpp"

namespace moesim {

struct ReadPlacement {
    PlacementFormat format = PlacementFormat::moesim;
    PlacementDocument document;
};

// `positions` is how many share the slots, which EPLB and SGLang do not say; the other formats do. Documents of others
// are named after their file. Throws InputError with file, JSON path, found and expected.
ReadPlacement read_placement(const nlohmann::json& json, const std::string& file, const std::string& path,
                             std::optional<std::size_t> positions);
ReadPlacement read_placement(const std::filesystem::path& file, std::optional<std::size_t> positions);

}  // namespace moesim
