// moesim place and moesim compare, as a user meets them.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
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

TEST_CASE("what a search places with copies can be given to engines, which want full slots", "[planning-cli]") {
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed), out = folder.path() / "placement.json";
    const Ended placed =
        run_process({"place", scenario, "--method", "search", "--redundant", "16", "--iterations", "3000", "-o", out});
    INFO(placed.err);
    REQUIRE(placed.exit_code == 0);
    for (const char* format : {"eplb", "sglang", "vllm-ascend"}) {
        const Ended ended = run_process({"placement", out, "--to", format});
        INFO(format << ": " << ended.err);
        CHECK(ended.exit_code == 0);
    }
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
            sum += json::parse(slurp(out / (d["methods"][m]["method"].get<std::string>() + "-" + std::to_string(b + 1) +
                                            ".result.json")))["makespan_s"]
                       .get<double>();
        // Two layers, two batches.
        CHECK(d["methods"][m]["layer_mean_s"].get<double>() == Approx(sum / 4).epsilon(1e-12));
    }
    CHECK(d["methods"][1]["layer_mean_s"].get<double>() < d["methods"][0]["layer_mean_s"].get<double>());
    const json eplb = json::parse(slurp(out / "eplb.placement.json"));
    CHECK(eplb["schema"] == "moesim.placement/1");
    CHECK(eplb == json::parse(slurp(out / "eplb-1.scenario.json"))["placement"]["file"]);
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
    // The first batch is learned from too: candidates are simulated on it.
    REQUIRE(s.batch.tokens() == 8192);
    for (std::size_t b = 0; b < 3; ++b) CHECK(batches[b].batch.first_token == static_cast<std::int64_t>(b + 1) * 8192);
    o.tokens = 16'384;
    CHECK(judged_batches(s, origin, o, 1, folder.path().string())[0].batch.first_token == 16'384);
}

TEST_CASE("a method without a placement leaves the others' in the comparison", "[planning-cli]") {
    // Six groups are even on two nodes, but 32 experts are no six groups.
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed);
    const Ended ended = run_process({"compare", scenario, "--methods", " eplb, contiguous", "--groups", "6",
                                     "--redundant", "16", "--batches", "1", "--json"});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    const json d = json::parse(ended.out);
    REQUIRE(d["methods"].size() == 2);
    CHECK(d["methods"][0]["method"] == "eplb");
    CHECK(d["methods"][0]["failure"].get<std::string>().find("6") != std::string::npos);
    CHECK_FALSE(d["methods"][0].contains("layer_mean_s"));
    CHECK(d["methods"][1]["layer_mean_s"].get<double>() > 0);
}

TEST_CASE("a recording that is too short for the batches is said to repeat", "[planning-cli]") {
    // Of 8192 recorded tokens the odd blocks of 512 are 4096, half a batch.
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed), routing = folder.path() / "routing.npy";
    REQUIRE(run_process({"workload", "generate", scenario, "--format", "npy", "-o", routing}).exit_code == 0);
    json s = json::parse(slurp(scenario));
    s["routing"] = {{"policy", "trace"}, {"trace", routing.string()}};
    const auto compared = [&] {
        const Ended ended = run_process(
            {"compare", folder.write("replay.json", s.dump()), "--methods", "contiguous", "--batches", "1"});
        INFO(ended.err);
        CHECK(ended.exit_code == 0);
        return ended.out;
    };
    CHECK(compared().find("the recording has 4096 tokens to judge by, the batches 8192") != std::string::npos);
    s["batch"]["sequences"] = 8;
    CHECK(compared().find("it begins again") == std::string::npos);
}

TEST_CASE("the scenario's own placement is compared with others", "[planning-cli]") {
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed), file = folder.path() / "balanced.json";
    REQUIRE(run_process({"place", scenario, "--method", "balanced_swaps", "-o", file}).exit_code == 0);
    json s = json::parse(slurp(scenario));
    s["placement"] = {{"file", file.string()}};
    const Ended ended = run_process({"compare", folder.write("placed.json", s.dump()), "--methods",
                                     "current,contiguous,balanced_swaps", "--batches", "1", "--json"});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    const json m = json::parse(ended.out)["methods"];
    CHECK(m[0]["layer_mean_s"] == m[2]["layer_mean_s"]);
    CHECK(m[0]["layer_mean_s"].get<double>() < m[1]["layer_mean_s"].get<double>());
}

TEST_CASE("a bound for one copy of each expert is none for copies", "[planning-cli]") {
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed);
    const Ended ended = run_process({"compare", scenario, "--methods", "contiguous,balanced_swaps,eplb", "--redundant",
                                     "16", "--batches", "1", "--json"});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    const json d = json::parse(ended.out);
    // The two even ones share theirs.
    CHECK(d["methods"][0]["bound"] == d["methods"][1]["bound"]);
    for (const json& m : d["methods"])
        if (m.contains("bound")) CHECK(m["value"].get<double>() >= m["bound"].get<double>() * (1 - 1e-12));
}

TEST_CASE("a placement that the GPUs cannot hold keeps its line, and is not written", "[planning-cli]") {
    // 32 experts of two layers on 16 GPUs: 4 a GPU, of 3 x hidden x ffn x 2 bytes; copies double that.
    const Folder folder;
    json s = json::parse(slurp(small_scenario(folder, skewed)));
    const double hidden = s["model"]["hidden"].get<double>();
    const double gated = s["model"].value("gated", true) ? 3 : 2;
    s["model"]["expert_ffn"] = static_cast<std::int64_t>(12e9 / (gated * hidden * 2) / 64) * 64;  // 12 GB an expert
    const fs::path scenario = folder.write("large.json", s.dump()), out = folder.path() / "placement.json";
    const Ended placed = run_process({"place", scenario, "--method", "eplb", "--redundant", "32", "-o", out});
    CHECK(placed.exit_code == 1);
    CHECK(placed.err.find("found 8 experts of all layers") != std::string::npos);
    CHECK_FALSE(fs::exists(out));
    const Ended ended = run_process(
        {"compare", scenario, "--methods", "eplb,contiguous", "--redundant", "32", "--batches", "1", "--json"});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    const json d = json::parse(ended.out);
    CHECK(d["methods"][0]["failure"].get<std::string>().find("found 8 experts") != std::string::npos);
    CHECK(d["methods"][1]["layer_mean_s"].get<double>() > 0);
}

TEST_CASE("a comparison says how unlike the judged workload is", "[planning-cli]") {
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed);
    const auto compared = [&](const std::vector<std::string>& more) {
        std::vector<std::string> arguments = {"compare", scenario, "--methods", "contiguous", "--batches", "1"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const Ended ended = run_process(arguments);
        INFO(ended.err);
        REQUIRE(ended.exit_code == 0);
        return ended.out;
    };
    CHECK(compared({}).find("unlike the learned one") == std::string::npos);
    // Learned from a routing that leaves every expert alike.
    json even = json::parse(slurp(scenario));
    even["routing"] = {{"policy", "uniform"}};
    const fs::path other = folder.write("even.json", even.dump()), routing = folder.path() / "even.npy";
    REQUIRE(run_process({"workload", "generate", other, "--format", "npy", "-o", routing}).exit_code == 0);
    CHECK(compared({"--learn", routing}).find("unlike the learned one") != std::string::npos);
}

TEST_CASE("a search is no slower than its starts when all are simulated", "[planning-cli]") {
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed), out = folder.path() / "runs";
    const Ended ended = run_process(
        {"compare", scenario, "--methods", "search", "--batches", "1", "--iterations", "2000", "--json", "--out", out});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    // 65,536 learned tokens are 8 batches of 8192 each.
    std::vector<double> sums;
    const auto file = [&](std::size_t candidate, int batch) {
        return out / "learned" / fmt::format("{}-{}.result.json", candidate, batch);
    };
    for (std::size_t candidate = 0; fs::exists(file(candidate, 0)); ++candidate) {
        sums.push_back(0);
        for (int batch = 0; batch < 8; ++batch)
            sums.back() += json::parse(slurp(file(candidate, batch)))["makespan_s"].get<double>();
        CHECK_FALSE(fs::exists(file(candidate, 8)));
    }
    REQUIRE(sums.size() > 6);
    // Judged by the tokens that it was learned from, the placement that was chosen is the fastest of them.
    json s = json::parse(slurp(out / "search-1.scenario.json"));
    double sum = 0;
    for (int b = 0; b < 8; ++b) {
        s["batch"]["first_token"] = b * 8192;
        const Ended ran = run_process({"run", folder.write("again.json", s.dump()), "--json"});
        REQUIRE(ran.exit_code == 0);
        sum += json::parse(ran.out)["makespan_s"].get<double>();
    }
    CHECK(sum == Approx(*std::min_element(sums.begin(), sums.end())).epsilon(1e-12));
}

TEST_CASE("a search is no slower than any method beside it where all learned", "[planning-cli]") {
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed);
    for (const char* redundant : {"0", "16"}) {
        const Ended ended = run_process(
            {"compare", scenario, "--methods",
             "search,contiguous,random,longest_first,memory_limited,affinity,destinations,graph,coactivation",
             "--redundant", redundant, "--tokens", "8192", "--batches", "2", "--iterations", "2000", "--json"});
        INFO(ended.err);
        REQUIRE(ended.exit_code == 0);
        const json d = json::parse(ended.out), &ours = d["methods"][0];
        REQUIRE(ours["method"] == "search");
        REQUIRE(d["methods"].size() == 9);
        for (const json& m : d["methods"]) {
            INFO(m["method"]);
            CHECK(ours["learned_layer_s"].get<double>() <= m["learned_layer_s"].get<double>());
            CHECK(m["closed_form_s"].get<double>() >= d["closed_form_bound_s"].get<double>());
            REQUIRE(m["layer_batches_s"].size() == 2);
            CHECK(m["layer_mean_s"].get<double>() ==
                  Approx((m["layer_batches_s"][0].get<double>() + m["layer_batches_s"][1].get<double>()) / 2));
        }
    }
}

TEST_CASE("a load limit that cannot be kept is told", "[planning-cli]") {
    // Zipf 1: the hottest expert of 32 alone is more than the mean of a GPU with two.
    const Folder folder;
    const fs::path scenario = small_scenario(folder, skewed);
    const std::vector<std::string> limited = {"--load-limit", "1.05", "--tokens", "4096", "--iterations", "1000"};
    const auto with = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), limited.begin(), limited.end());
        const Ended ended = run_process(arguments);
        INFO(ended.err);
        REQUIRE(ended.exit_code == 0);
        return ended.out;
    };
    CHECK(with({"place", scenario, "--method", "destinations"}).find("above the limit of 1.05") != std::string::npos);
    const std::vector<std::string> two = {"compare",   scenario, "--methods", "contiguous,destinations",
                                          "--batches", "1"};
    CHECK(with(two).find("destinations (") != std::string::npos);
    std::vector<std::string> as_json = two;
    as_json.emplace_back("--json");
    const json d = json::parse(with(as_json));
    CHECK(d["methods"][1]["load_above_limit"].get<double>() > 1.05);
    CHECK_FALSE(d["methods"][0].contains("load_above_limit"));
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

TEST_CASE("a comparison that is broken off leaves nothing behind", "[planning-cli]") {
    for (const int signal : {SIGINT, SIGTERM}) {
        const Folder folder, temporary;
        json s = json::parse(slurp(small_scenario(folder, skewed)));
        s["batch"] = {{"sequences", 1024}, {"tokens_per_sequence", 2048}};  // seconds, if nothing ends it
        Conditions conditions;
        conditions.temporary = temporary.path().string();
        conditions.signal = signal;
        const Ended ended =
            run_process({"compare", folder.write("long.json", s.dump()), "--methods", "contiguous"}, conditions);
        CHECK(ended.exit_code == 128 + signal);
        CHECK(temporary.names().empty());
    }
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
    CHECK(complaint({"place", scenario, "--method", "serach"}).find("did you mean \"search\"?") != std::string::npos);
    CHECK(complaint({"compare", scenario, "--methods", "contiguous,best"}).find("found \"best\"") != std::string::npos);
    CHECK(complaint({"place", scenario, "--method", "eplb", "--redundant", "3"}).find("redundant copies: found 3") !=
          std::string::npos);
    CHECK(complaint({"place", scenario, "--method", "eplb", "--learn", "no-such-file"}).find("no-such-file") !=
          std::string::npos);
    CHECK(complaint({"place", scenario, "--method", "contiguous", "--redundant", "16"}) ==
          "moesim: --redundant: found with contiguous, expected with memory_limited, eplb, search, coactivation, "
          "shadowing, moetuner_uneven\n");
    CHECK(complaint({"compare", scenario, "--methods", "contiguous,search", "--groups", "2"}) ==
          "moesim: --groups: found with contiguous, search, expected with eplb\n");
    CHECK(
        complaint({"place", scenario, "--method", "exflow", "--write-program", "x.txt"}).find("ends in .lp or .mps") !=
        std::string::npos);
    CHECK(complaint({"place", scenario, "--method", "search", "--iterations", "5", "--time-limit", "5"})
              .find("excludes") != std::string::npos);
    CHECK(complaint({"compare", scenario, "--methods", "eplb,eplb"}).find("found \"eplb\" twice") != std::string::npos);
}
