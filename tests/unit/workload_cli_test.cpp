// moesim workload, as a user meets it.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/trace/read_trace.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string& source() {
    static const std::string folder = MOESIM_SOURCE_DIR;
    return folder;
}

// A small shipped scenario with other routing, in a folder of its own.
fs::path scenario_with(const Folder& folder, const json& routing) {
    json s = json::parse(slurp(source() + "/tests/bench/one-layer-16-gpus.json"));
    for (const char* key : {"topology", "profile"})
        s[key] = (fs::path(source()) / "tests/bench" / s[key].get<std::string>()).lexically_normal().string();
    s["routing"] = routing;
    s["model"]["moe_layers"] = 2;
    s["batch"] = {{"sequences", 16}, {"tokens_per_sequence", 64}};
    return folder.write("scenario.json", s.dump());
}

json document(const std::vector<std::string>& arguments) {
    const Ended ended = run_process(arguments);
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    return json::parse(ended.out);
}

std::string complaint(const std::vector<std::string>& arguments) {
    const Ended ended = run_process(arguments);
    CHECK(ended.exit_code == 2);
    CHECK(ended.out.empty());
    return ended.err;
}

}  // namespace

TEST_CASE("a routing is written, described, replayed and fitted", "[workload-cli]") {
    const Folder folder;
    const std::string scenario =
        scenario_with(folder, {{"policy", "softmax_topk"}, {"popularity", {{"zipf", 1.0}}}, {"affinity", 0.5}})
            .string();
    const std::string trace = (folder.path() / "trace.npy").string(), model = (folder.path() / "model.json").string();
    REQUIRE(run_process({"workload", "generate", scenario, "--format", "npy", "-o", trace}).exit_code == 0);
    const json of_scenario = document({"workload", "describe", scenario, "--json"});
    const json of_trace = document({"workload", "describe", trace, "--json"});
    CHECK(of_scenario["layers"].size() == 2);
    for (std::size_t l = 0; l < 2; ++l)
        CHECK(of_scenario["layers"][l]["expert_tokens"] == of_trace["layers"][l]["expert_tokens"]);

    // Replaying what a policy chose gives what the policy gives.
    const json direct = document({"run", scenario, "--json"});
    const std::string replay = scenario_with(folder, {{"policy", "trace"}, {"trace", "trace.npy"}}).string();
    const json replayed = document({"run", replay, "--json"});
    CHECK(direct["makespan_s"] == replayed["makespan_s"]);
    CHECK(direct["load"] == replayed["load"]);

    const json fitted = document({"workload", "fit", trace, "-o", model, "--json"});
    CHECK(fitted["tokens"] == 1024);
    CHECK(fitted["held_out"]["fitted"]["load_cv_mean_error"] < 0.2);
    CHECK(document({"workload", "describe", model, "--json"})["layers"].size() == 2);
    const std::string like = scenario_with(folder, {{"policy", "softmax_topk"}, {"model", "model.json"}}).string();
    const json result = document({"run", like, "--json"});
    // The result holds the model, so it repeats itself without the file.
    const std::string kept = folder.write("result.json", result.dump()).string();
    fs::remove(model);
    CHECK(document({"run", kept, "--json"}) == result);
}

TEST_CASE("Megatron's lines and NumPy's array of one routing hold the same choices", "[workload-cli]") {
    const Folder folder;
    const std::string scenario =
        scenario_with(folder, {{"policy", "dynamic_k"}, {"dynamic_k", {{"threshold", 0.3}}}}).string();
    const std::string npy = (folder.path() / "a.npy").string(), lines = (folder.path() / "a.jsonl").string();
    REQUIRE(run_process({"workload", "generate", scenario, "--format", "npy", "-o", npy}).exit_code == 0);
    REQUIRE(run_process({"workload", "generate", scenario, "--format", "megatron", "-o", lines}).exit_code == 0);
    const auto a = std::get<RoutingTrace>(read_trace(npy, {})), b = std::get<RoutingTrace>(read_trace(lines, {}));
    CHECK(a.choices == b.choices);
    CHECK(b.source_begin.size() == 16);  // the data-parallel ranks
}

TEST_CASE("the traffic matrix of a dispatch carries what a run counts", "[workload-cli]") {
    const Folder folder;
    const std::string scenario =
        scenario_with(folder, {{"policy", "softmax_topk"}, {"popularity", {{"zipf", 1.0}}}}).string();
    std::int64_t off_diagonal = 0;
    for (const char* layer : {"0", "1"}) {
        const std::string file = (folder.path() / "m.txt").string();
        REQUIRE(run_process({"workload", "generate", scenario, "--format", "alltoallv", "--layer", layer, "-o", file})
                    .exit_code == 0);
        std::istringstream in(slurp(file));
        for (int from = 0; from < 16; ++from)
            for (int to = 0; to < 16; ++to) {
                std::int64_t bytes = -1;
                REQUIRE(in >> bytes);
                if (from != to) off_diagonal += bytes;
            }
    }
    CHECK(document({"run", scenario, "--json"})["traffic"]["dispatch_bytes"] == off_diagonal);
}

TEST_CASE("what describe writes is there, all of it", "[workload-cli]") {
    const Folder folder;
    const std::string scenario = scenario_with(folder, {{"policy", "hash"}}).string();
    const std::string out = (folder.path() / "out").string();
    const Ended ended = run_process({"workload", "describe", scenario, "--out", out});
    CHECK(ended.exit_code == 0);
    CHECK(ended.out.find("load CV") != std::string::npos);
    for (const char* name : {"description.json", "load.svg", "transition.svg"}) CHECK(fs::exists(fs::path(out) / name));
}

TEST_CASE("wrong uses of workload are told in one line", "[workload-cli]") {
    const Folder folder;
    const std::string scenario = scenario_with(folder, {{"policy", "expert_choice"}}).string();
    const std::string out = (folder.path() / "x").string();
    CHECK(complaint({"workload"}).find("subcommand") != std::string::npos);
    CHECK(complaint({"workload", "describe", out}) == "moesim: " + out + ": cannot open: No such file or directory\n");
    CHECK(complaint({"workload", "generate", scenario, "--format", "alltoallv", "--layer", "2", "-o", out}) ==
          "moesim: --layer: found 2, expected a layer from 0 to 1\n");
    CHECK(complaint({"workload", "describe", scenario, "--into", "2"}) ==
          "moesim: --into: found 2, expected a layer from 1 to 1\n");
    CHECK(complaint({"workload", "generate", scenario, "--format", "npy", "--tokens", "5", "-o", out})
              .find("--tokens: found it beside a scenario") != std::string::npos);
    CHECK(complaint({"workload", "generate", scenario, "--format", "npy", "-o", out})
              .find("found a token with more than top_k") != std::string::npos);
    const std::string loads = folder.write("loads.json", "[[1, 2, 3]]").string();
    CHECK(complaint({"workload", "fit", loads, "-o", out}) ==
          "moesim: " + loads + ": found loads without tokens, expected --top-k beside them\n");
    const std::string replay = scenario_with(folder, {{"policy", "trace"}, {"trace", "loads.json"}}).string();
    CHECK(complaint({"run", replay}) == "moesim: " + replay + ": $.routing.trace: found \"" + loads +
                                            "\", loads without tokens, expected a routing of each token\n");
    CHECK_FALSE(fs::exists(out));
}
