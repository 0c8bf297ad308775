// The shipped scenarios against approved results. Where a change is meant, tests/golden/approve writes them anew, and
// the difference is reviewed like code.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"
#include "support/program.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Where two documents differ by more than rounding, as a path; empty where they do not.
std::string difference(const json& approved, const json& now, const std::string& path) {
    if (approved.is_number() && now.is_number()) {
        const double a = approved.get<double>(), b = now.get<double>();
        // Last digits differ between processors, since mathematical functions do.
        return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b)) + 1e-15 ? "" : path;
    }
    if (approved.type() != now.type() || approved.size() != now.size()) return path;
    if (approved.is_object()) {
        for (const auto& [key, value] : approved.items()) {
            if (!now.contains(key)) return path + "." + key;
            if (auto d = difference(value, now[key], path + "." + key); !d.empty()) return d;
        }
        return "";
    }
    if (approved.is_array()) {
        for (std::size_t i = 0; i < approved.size(); ++i)
            if (auto d = difference(approved[i], now[i], path + "[" + std::to_string(i) + "]"); !d.empty()) return d;
        return "";
    }
    return approved == now ? "" : path;
}

json load(const fs::path& path) {
    std::ifstream in(path);
    REQUIRE(in.good());
    return json::parse(in);
}

std::vector<fs::path> scenarios() {
    std::vector<fs::path> all;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(MOESIM_SOURCE_DIR) / "scenarios"))
        if (entry.path().extension() == ".json" && entry.path().parent_path().filename() != "learned")
            all.push_back(entry.path());
    std::sort(all.begin(), all.end());
    return all;
}

}  // namespace

TEST_CASE("shipped scenarios give their approved results") {
    REQUIRE(scenarios().size() >= 5);
    for (const fs::path& scenario : scenarios()) {
        INFO(scenario);
        const auto run = moesim::test::run_process({"run", scenario.string(), "--json"});
        REQUIRE(run.exit_code == 0);
        json now = json::parse(run.out);
        now.erase("timeline");  // long, and its sums are all in the rest
        now["scenario"]["routing"].erase("model");
        const fs::path approved = fs::path(MOESIM_SOURCE_DIR) / "tests" / "golden" / "approved" /
                                  (scenario.parent_path().filename().string() + "--" + scenario.filename().string());
        CHECK(difference(load(approved), now, "$") == "");
    }
}

TEST_CASE("every approved result belongs to a shipped scenario") {
    std::size_t approved = 0;
    for (const auto& entry : fs::directory_iterator(fs::path(MOESIM_SOURCE_DIR) / "tests" / "golden" / "approved"))
        approved += entry.path().extension() == ".json" ? 1 : 0;
    CHECK(approved == scenarios().size());
}
