// moesim compare --replan, as a user meets it.
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"
#include "support/program.hpp"

using namespace moesim::test;

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t batch = 16 * 64;  // tokens

// 16 GPUs on two nodes, two small layers; a step is 64 tokens a GPU.
json small(const json& routing) {
    const std::string source = MOESIM_SOURCE_DIR;
    json s = json::parse(slurp(source + "/tests/bench/one-layer-16-gpus.json"));
    for (const char* key : {"topology", "profile"})
        s[key] = (fs::path(source) / "tests/bench" / s[key].get<std::string>()).lexically_normal().string();
    s["routing"] = routing;
    s["model"]["moe_layers"] = 2;
    s["batch"] = {{"sequences", 16}, {"tokens_per_sequence", 64}};
    s["network"]["model"] = "fluid";
    return s;
}

json skewed(double drift) {
    json popularity = {{"zipf", 0.8}};
    if (drift > 0) popularity["drift"] = drift;
    return {{"policy", "softmax_topk"}, {"popularity", popularity}};
}

json over_time(const fs::path& scenario, std::vector<std::string> more) {
    more.insert(more.begin(), {"compare", scenario.string(), "--json"});
    const Ended ended = run_process(more);
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    return json::parse(ended.out);
}

// A recorded routing of as many steps, with the ids of all choices from step `changed` on turned around.
fs::path recorded(const Folder& folder, const std::string& name, std::size_t steps, std::size_t changed) {
    json s = small(skewed(0));
    s["batch"]["sequences"] = 16 * steps;
    const fs::path out = folder.path() / (name + ".npy");
    const Ended ended =
        run_process({"workload", "generate", folder.write(name + ".json", s.dump()), "--format", "npy", "-o", out});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    std::string bytes = slurp(out);
    const std::size_t token = 2 * 2 * sizeof(std::uint16_t);  // layers x top-k
    for (std::size_t at = bytes.size() - (steps - changed) * batch * token; at < bytes.size(); at += 2) {
        std::uint16_t id = 0;
        std::memcpy(&id, bytes.data() + at, sizeof id);
        id = static_cast<std::uint16_t>(31 - id);
        std::memcpy(bytes.data() + at, &id, sizeof id);
    }
    return folder.write(name + ".npy", bytes);
}

}  // namespace

TEST_CASE("placements over time are runs with the placements that were made", "[replanning-cli]") {
    const Folder folder;
    const fs::path scenario = folder.write("scenario.json", small(skewed(0.5)).dump()), out = folder.path() / "runs";
    const json d = over_time(scenario, {"--methods", "longest_first,contiguous", "--steps", "4", "--replan", "0,2",
                                        "--hysteresis", "none", "--tokens", "2048", "--out", out});
    CHECK(d["schema"] == "moesim.replanning/1");
    CHECK(d["warm_up_steps"] == 2);  // 2048 tokens are two steps
    CHECK(d["hysteresis"].is_null());
    REQUIRE(d["methods"].size() == 2);
    const json& planned = d["methods"][0];
    REQUIRE(planned["lines"].size() == 2);
    const json &never = planned["lines"][0], &second = planned["lines"][1];
    CHECK(never["replan"] == 0);
    CHECK(never["replans"] == 0);
    CHECK(never["migration_per_step_s"] == 0);
    CHECK(second["replan"] == 2);
    CHECK(second["replans"] == 1);
    CHECK(second["taken"] == 1);
    for (std::size_t t = 0; t < 4; ++t) {
        CHECK(never["steps"][t]["age"] == t);
        CHECK(second["steps"][t]["age"] == t % 2);
        CHECK(second["steps"][t]["oracle_s"] == never["steps"][t]["oracle_s"]);
    }
    // Both learned from the same two steps until the second was made anew.
    CHECK(second["steps"][0]["time_s"] == never["steps"][0]["time_s"]);
    CHECK(second["steps"][1]["time_s"] == never["steps"][1]["time_s"]);
    // 3 x 4096 x 3584 values of two bytes each.
    const json& made = second["made"][0];
    CHECK(made["step"] == 2);
    CHECK(made["bytes"].get<double>() == made["copies"].get<double>() * 88'080'384);
    CHECK(second["migration_per_step_s"].get<double>() == Approx(made["migration_s"].get<double>() / 4));
    CHECK(second["total_per_step_s"].get<double>() ==
          Approx(second["step_mean_s"].get<double>() + second["migration_per_step_s"].get<double>()));
    // The first run is the first step after the warm-up, under the first plan.
    const json first = json::parse(slurp(out / "0.scenario.json"));
    CHECK(first["batch"]["first_token"] == 2 * batch);
    CHECK(first["routing"]["step"] == 2);
    CHECK(json::parse(slurp(out / "0.result.json"))["makespan_s"] == never["steps"][0]["time_s"]);
    // What no plan changes needs no oracle.
    for (const json& line : d["methods"][1]["lines"]) {
        CHECK(line["taken"] == 0);
        CHECK(line["step_mean_s"] == d["methods"][1]["oracle_step_mean_s"]);
    }
}

TEST_CASE("plans never see the tokens that they are judged on, nor later ones", "[replanning-cli]") {
    // Two recorded routings of 2 + 6 steps that part at step 6, step 4 after the warm-up.
    const Folder folder;
    std::vector<json> lines;
    for (const std::size_t changed : {std::size_t{8}, std::size_t{6}}) {
        const std::string name = "until-" + std::to_string(changed);
        const json routing = {{"policy", "trace"}, {"trace", recorded(folder, name, 8, changed).string()}};
        const json d = over_time(folder.write(name + "-replayed.json", small(routing).dump()),
                                 {"--methods", "longest_first", "--steps", "6", "--replan", "2", "--hysteresis", "none",
                                  "--tokens", "2048"});
        REQUIRE(d["warm_up_steps"] == 2);
        lines.push_back(d["methods"][0]["lines"][0]);
    }
    for (std::size_t t = 0; t < 4; ++t) CHECK(lines[0]["steps"][t] == lines[1]["steps"][t]);
    CHECK(lines[0]["steps"][4]["time_s"] != lines[1]["steps"][4]["time_s"]);
    CHECK(lines[0]["steps"][4]["migration_s"] == lines[1]["steps"][4]["migration_s"]);
    CHECK(lines[0]["made"] == lines[1]["made"]);  // at steps 2 and 4
}

TEST_CASE("without drift nothing moves after the first plan", "[replanning-cli]") {
    const Folder folder;
    const fs::path scenario = folder.write("scenario.json", small(skewed(0)).dump());
    const json d = over_time(scenario, {"--methods", "balanced_swaps,eplb", "--redundant", "16", "--steps", "6",
                                        "--replan", "1,2,3", "--hysteresis", "1"});
    for (const json& method : d["methods"])
        for (const json& line : method["lines"]) {
            CHECK(line["taken"] == 0);
            CHECK(line["bytes_moved"] == 0);
            CHECK(line["migration_per_step_s"] == 0);
            CHECK(method["oracle_step_mean_s"].get<double>() < 1.02 * line["step_mean_s"].get<double>());
        }
}

TEST_CASE("a table over time names its columns", "[replanning-cli]") {
    const Folder folder;
    const fs::path scenario = folder.write("scenario.json", small(skewed(0.5)).dump());
    const Ended ended = run_process(
        {"compare", scenario, "--methods", "eplb,longest_first", "--groups", "6", "--steps", "3", "--replan", "0,1"});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    for (const char* said : {"never", "oracle", "slower than the oracle at age",
                             "eplb                   no placement: ", "after 3 that are only learned from"})
        CHECK(ended.out.find(said) != std::string::npos);
}

TEST_CASE("wrong uses of --replan are told in one line", "[replanning-cli]") {
    const Folder folder;
    const std::string scenario = folder.write("scenario.json", small(skewed(0.5)).dump()).string();
    const auto complaint = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"compare", scenario, "--methods", "longest_first"});
        const Ended ended = run_process(more);
        CHECK(ended.exit_code == 2);
        CHECK(ended.out.empty());
        return ended.err;
    };
    CHECK(complaint({"--steps", "8", "--replan", "2", "--hysteresis", "-0.5"}) ==
          "moesim: --hysteresis: found \"-0.5\", expected a number of 0 or more, or none\n");
    CHECK(complaint({"--steps", "8", "--replan", "2", "--hysteresis", "much"}) ==
          "moesim: --hysteresis: found \"much\", expected a number of 0 or more, or none\n");
    CHECK(complaint({"--steps", "8", "--replan", "2,8"}) ==
          "moesim: the steps from plan to plan: found 8, expected 0 (never a second one) or fewer than the 8 steps of "
          "the run\n");
    CHECK(complaint({"--steps", "8", "--replan", "2,0,2"}) ==
          "moesim: the steps from plan to plan: found 2 twice, expected each once\n");
    CHECK(complaint({"--replan", "2"}).find("--replan requires --steps") != std::string::npos);
    CHECK(complaint({"--steps", "8"}).find("--steps requires --replan") != std::string::npos);
    CHECK(complaint({"--hysteresis", "1"}).find("--hysteresis requires --replan") != std::string::npos);
    CHECK(complaint({"--steps", "8", "--replan", "2", "--batches", "3"}).find("--batches excludes --replan") !=
          std::string::npos);
    CHECK(complaint({"--steps", "8", "--replan", "2", "--learn", "x"}).find("--learn excludes --replan") !=
          std::string::npos);
    // Of one step alone.
    const json routing = {{"policy", "trace"}, {"trace", recorded(folder, "short", 1, 1).string()}};
    const Ended ended = run_process({"compare", folder.write("replayed.json", small(routing).dump()), "--methods",
                                     "longest_first", "--steps", "2", "--replan", "1"});
    CHECK(ended.exit_code == 2);
    CHECK(ended.err.find("found 1024 tokens, expected at least 3072") != std::string::npos);
}
