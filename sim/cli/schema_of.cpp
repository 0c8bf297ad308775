#include "cli/schema_of.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "config/json_text.hpp"

namespace moesim {

std::string schema_of(const std::string& file) {
    std::error_code error;  // what is wrong with the file, reading it tells
    const auto bytes = std::filesystem::file_size(file, error);
    if (!error && bytes > max_json_bytes) return {};
    const std::string text = read_file(file, max_json_bytes);
    if (text.find("\"schema\"") == std::string::npos) return {};
    const auto json = nlohmann::json::parse(text, nullptr, false);
    const bool named = json.is_object() && json.contains("schema") && json["schema"].is_string();
    return named ? json["schema"].get<std::string>() : std::string();
}

}  // namespace moesim
