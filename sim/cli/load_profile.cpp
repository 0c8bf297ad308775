#include "cli/load_profile.hpp"

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "config/json_text.hpp"

namespace moesim {

Profile load_profile(const std::string& file) {
    return parse_profile(parse_json(read_file(file, max_json_bytes), file), file);
}

}  // namespace moesim
