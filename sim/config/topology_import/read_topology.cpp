#include "config/topology_import/read_topology.hpp"

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "config/json_text.hpp"
#include "config/topology_import/nccl_xml.hpp"
#include "config/topology_import/simai.hpp"

namespace moesim {

TopologySpec read_topology(std::string_view text, const std::string& file) {
    const std::size_t at = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    const char first = at == text.npos ? '\0' : text[at];
    if (first == '<') return read_nccl_xml(text, file);
    if (first >= '0' && first <= '9') return read_simai(text, file);
    return parse_topology(parse_json(text, file), file);
}

TopologySpec read_topology(const std::filesystem::path& path) {
    return read_topology(read_file(path, max_json_bytes), path.string());
}

}  // namespace moesim
