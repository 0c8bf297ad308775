#include "calibrate/testbed/expect_topology.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/file.hpp"
#include "calibrate/testbed/launch.hpp"
#include "config/json_text.hpp"
#include "config/topology_spec.hpp"

namespace moesim::testbed {

void expect_topology(const Scenario& scenario, const std::string& file) {
    if (const char* document = std::getenv(environment_variable)) expect_topology(scenario, file, document);
}

void expect_topology(const Scenario& scenario, const std::string& file, const std::filesystem::path& document) {
    const auto made = parse_json(read_file(document, max_json_bytes), document);
    TopologySpec of_testbed =
        parse_topology(made.contains("topology") ? made["topology"] : nlohmann::json(), document.string());
    TopologySpec asked = scenario.topology;
    for (TopologySpec* t : {&of_testbed, &asked}) t->source.clear();
    of_testbed.name = asked.name;
    if (asked == of_testbed) return;
    throw InputError(
        fmt::format("{}: $.topology: found \"{}\", expected that of the testbed that this runs on, \"{}\" ({})", file,
                    asked.name, made["topology"]["name"].get<std::string>(), document.string()));
}

}  // namespace moesim::testbed
