#include "config/placement_formats/read_placement.hpp"

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "config/json_text.hpp"
#include "config/placement_formats/eplb_maps.hpp"
#include "config/placement_formats/slot_rows.hpp"
#include "config/placement_formats/vllm_ascend_map.hpp"

namespace moesim {
namespace {

ReadPlacement read(const JsonValue& value, std::optional<std::size_t> positions) {
    const auto has = [&](const char* key) { return value.json->is_object() && value.json->contains(key); };
    if (has("schema")) return {PlacementFormat::moesim, parse_placement(*value.json, value.file, value.path)};
    if (has("layer_list") || has("moe_layer_count"))
        return {PlacementFormat::vllm_ascend, parse_vllm_ascend_map(value)};
    if (has("physical_to_logical_map")) {
        // Beside it SGLang's recorder leaves counts, which are no placement.
        const JsonValue rows = value.member("physical_to_logical_map");
        return {PlacementFormat::sglang, shared_out(rows, parse_slot_rows(rows), positions)};
    }
    if (has("phy2log") || has("log2phy")) return {PlacementFormat::eplb, parse_eplb_maps(value, positions)};
    if (!value.json->is_object()) value.fail("a placement, which is an object");
    value.fail_with("an object with none of the keys schema, layer_list, physical_to_logical_map, phy2log and log2phy",
                    "a placement: moesim.placement/1, or of EPLB, SGLang or vLLM-Ascend");
}

}  // namespace

ReadPlacement read_placement(const nlohmann::json& json, const std::string& file, const std::string& path,
                             std::optional<std::size_t> positions) {
    ReadPlacement placement = read({&json, file, path}, positions);
    std::string& name = placement.document.name;
    if (name.empty()) name = clipped(std::filesystem::path(file).filename().string());
    if (name.empty()) name = "placement";
    return placement;
}

ReadPlacement read_placement(const std::filesystem::path& file, std::optional<std::size_t> positions) {
    return read_placement(parse_json(read_file(file, max_json_bytes), file.string()), file.string(), "$", positions);
}

}  // namespace moesim
