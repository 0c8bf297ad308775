// The input is a scenario; after a byte 0 may follow the topology, and after another the profile, that its references
// stand for. Without those, a reference names a shipped file.
#include <filesystem>
#include <map>
#include <string>

#include "base/file.hpp"
#include "config/scenario_json.hpp"
#include "round_trip.hpp"

using namespace moesim;

namespace {

std::map<std::string, std::string> shipped_files() {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(MOESIM_SOURCE_DIR "/topologies"))
        if (entry.is_regular_file()) files[entry.path().filename().string()] = read_file(entry.path(), max_json_bytes);
    return files;
}

// The text up to the next byte 0, which is taken off `rest`.
std::string_view cut(std::string_view& rest) {
    const auto part = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto shipped = shipped_files();
    std::string_view rest = fuzz::view(data, size);
    const std::string_view scenario = cut(rest), topology = cut(rest), profile = cut(rest);
    const auto resolve = [&](const std::string& reference) -> NamedDocument {
        const auto given = reference.find("profile") == std::string::npos ? topology : profile;
        if (!given.empty()) return {"input", std::string(given)};
        const auto file = shipped.find(std::filesystem::path(reference).filename().string());
        if (file == shipped.end()) throw InputError("no such file");
        return {file->first, file->second};
    };
    fuzz::check_round_trip(scenario, [&](const auto& json) { return parse_scenario(json, "input", resolve); });
    return 0;
}
