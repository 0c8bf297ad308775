#include "cli/profile_file.hpp"

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "config/json_text.hpp"

namespace moesim {

Profile load_profile(const std::string& file) {
    return parse_profile(parse_json(read_file(file, max_json_bytes), file), file);
}

std::string profile_text(const Profile& profile, const std::string& file) {
    std::string text = to_json(profile).dump(2) + "\n";
    parse_profile(parse_json(text, file), file);
    return text;
}

}  // namespace moesim
