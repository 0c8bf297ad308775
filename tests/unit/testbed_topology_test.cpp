// What runs on a testbed is of its topology.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "calibrate/testbed/expect_topology.hpp"
#include "config/scenario_json.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

using namespace moesim;

TEST_CASE("scenarios of another topology than the testbed's are refused", "[testbed]") {
    const test::Folder folder;
    Scenario s = load_scenario(std::string(MOESIM_SOURCE_DIR) + "/scenarios/testbed/zipf-8.json");
    REQUIRE(s.topology.name == "testbed-8");
    const auto document = folder.write("testbed.json", nlohmann::json{{"topology", to_json(s.topology)}}.dump());

    s.topology.name = "mine";  // as it is called does not matter
    s.topology.source = "elsewhere";
    CHECK_NOTHROW(testbed::expect_topology(s, "s.json", document));
    s.topology.nic.bandwidth = BytesPerSecond(1e6);
    CHECK_THROWS_WITH(testbed::expect_topology(s, "s.json", document),
                      fmt::format("s.json: $.topology: found \"mine\", expected that of the testbed that this runs on, "
                                  "\"testbed-8\" ({})",
                                  document.string()));
    folder.write("testbed.json", "{}");
    CHECK_THROWS_AS(testbed::expect_topology(s, "s.json", document), InputError);
}
