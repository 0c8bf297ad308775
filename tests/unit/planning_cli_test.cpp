// moesim place and moesim compare, as a user meets them.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/scenario_json.hpp"
#include "study/planning.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// 16 GPUs on two nodes, two small layers with hot experts.
fs::path small_scenario(const Folder& folder, const json& routing) {
    const std::string source = MOESIM_SOURCE_DIR;
    json s = json::parse(slurp(source + "/tests/bench/one-layer-16-gpus.json"));
    for (const char* key : {"topology", "profile"})
        s[key] = (fs::path(source) / "tests/bench" / s[key].get<std::string>()).lexically_normal().string();
    s["routing"] = routing;
    s["model"]["moe_layers"] = 2;
    s["batch"] = {{"sequences", 16}, {"tokens_per_sequence", 512}};
    return folder.write("scenario.json", s.dump());
}

const json skewed = {{"policy", "softmax_topk"}, {"popularity", {{"zipf", 1.0}}}};

}  // namespace

TEST_CASE("a placement is computed, and a scenario runs with it", "[planning-cli]") {
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed), out = folder.path() / "placement.json";
    const Ended placed = run_process({"place", scenario, "--method", "longest_first", "-o", out});
    INFO(placed.err);
    REQUIRE(placed.exit_code == 0);
    const json document = json::parse(slurp(out));
    CHECK(document["schema"] == "moesim.placement/1");
    CHECK(document["method"] == "longest_first");
    CHECK(document["objective"]["value"].get<double>() >= document["objective"]["bound"].get<double>());
    json s = json::parse(slurp(scenario));
    s["placement"] = {{"file", out.string()}};
    const Ended ran = run_process({"run", folder.write("placed.json", s.dump()), "--json"});
    INFO(ran.err);
    REQUIRE(ran.exit_code == 0);
    const Ended before = run_process({"run", scenario, "--json"});
    CHECK(json::parse(ran.out)["makespan_s"].get<double>() < json::parse(before.out)["makespan_s"].get<double>());
}

TEST_CASE("a comparison runs what a run with each placement gives", "[planning-cli]") {
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed), out = folder.path() / "runs";
    const Ended ended = run_process({"compare", scenario, "--methods", "contiguous,longest_first,eplb", "--batches",
                                     "2", "--redundant", "16", "--json", "--out", out});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    const json d = json::parse(ended.out);
    REQUIRE(d["methods"].size() == 3);
    for (std::size_t m = 0; m < 3; ++m) {
        double sum = 0;
        for (std::size_t b = 0; b < 2; ++b)
            sum += json::parse(slurp(out / (std::to_string(2 * m + b) + ".result.json")))["makespan_s"].get<double>();
        // Two layers, two batches.
        CHECK(d["methods"][m]["layer_mean_s"].get<double>() == Approx(sum / 4).epsilon(1e-12));
    }
    CHECK(d["methods"][1]["layer_mean_s"].get<double>() < d["methods"][0]["layer_mean_s"].get<double>());
    const double experts = d["scenario"]["model"]["experts"].get<double>();
    CHECK(d["methods"][2]["copies_per_expert"].get<double>() == Approx(1 + 16 / experts));
    CHECK(d["methods"][2]["load_max_over_mean"].get<double>() < d["methods"][1]["load_max_over_mean"].get<double>());
}

TEST_CASE("judged batches are tokens that nothing was learned from", "[planning-cli]") {
    const Folder folder;
    const std::string origin = small_scenario(folder, skewed).string();
    const Scenario s = load_scenario(origin);
    PlanningOptions o;
    o.tokens = 4096;
    CHECK(planner_problem(s, origin, o).workload.tokens == 4096);
    const auto batches = judged_batches(s, origin, o, 3, folder.path().string());
    REQUIRE(batches.size() == 3);
    for (std::size_t b = 0; b < 3; ++b)
        CHECK(batches[b].batch.first_token == 4096 + static_cast<std::int64_t>(b) * s.batch.tokens());
}

TEST_CASE("tokens that came before move the choices of a batch along", "[planning-cli]") {
    // The second half of a batch of 8192 tokens is a batch of 4096 that begins at token 4096.
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed);
    const auto routing = [&](const json& batch, const char* name) {
        json s = json::parse(slurp(scenario));
        s["batch"] = batch;
        const fs::path out = folder.path() / (std::string(name) + ".npy");
        const Ended ended = run_process({"workload", "generate", folder.write(std::string(name) + ".json", s.dump()),
                                         "--format", "npy", "-o", out});
        INFO(ended.err);
        REQUIRE(ended.exit_code == 0);
        return slurp(out);
    };
    const std::string all = routing({{"sequences", 16}, {"tokens_per_sequence", 512}}, "all");
    const std::string half = routing({{"sequences", 8}, {"tokens_per_sequence", 512}, {"first_token", 4096}}, "half");
    const std::size_t choices = (all.size() - 128) / 2;  // NumPy's header takes 128 bytes
    CHECK(all.substr(all.size() - choices) == half.substr(half.size() - choices));
}

TEST_CASE("wrong uses of place and compare are told in one line", "[planning-cli]") {
    const Folder folder;
    const std::string scenario = small_scenario(folder, skewed).string();
    const auto complaint = [](const std::vector<std::string>& arguments) {
        const Ended ended = run_process(arguments);
        CHECK(ended.exit_code == 2);
        CHECK(ended.out.empty());
        return ended.err;
    };
    CHECK(complaint({"place", scenario, "--method", "best"}).find("the method: found \"best\"") != std::string::npos);
    CHECK(complaint({"compare", scenario, "--methods", "contiguous,best"}).find("found \"best\"") != std::string::npos);
    CHECK(complaint({"place", scenario, "--method", "eplb", "--redundant", "3"}).find("redundant copies: found 3") !=
          std::string::npos);
    CHECK(complaint({"place", scenario, "--method", "eplb", "--learn", "no-such-file"}).find("no-such-file") !=
          std::string::npos);
}
