// Scenarios that name a placement file, and `moesim placement`.
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "config/placement_document.hpp"
#include "config/scenario_json.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

using nlohmann::json;

// 40 tokens of each of two GPUs, three experts; its placement is the file maps.json in a folder beside it.
json two_gpus() {
    Scenario s = tiny(2, 80);
    s.model.experts = 3;
    json j = json::parse(to_json(s).dump());
    j["placement"] = {{"file", "placements/maps.json"}};
    return j;
}

struct Files {
    Folder folder;
    std::string scenario, maps;
    explicit Files(const std::string& placement, const json& document = two_gpus()) {
        std::filesystem::create_directory(folder.path() / "placements");
        maps = folder.write("placements/maps.json", placement).string();
        scenario = folder.write("scenario.json", document.dump()).string();
    }
};

std::string refusal(const Files& files) {
    try {
        load_scenario(files.scenario);
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("a scenario's placement file is part of its result, which repeats itself", "[placement-scenario]") {
    // Slots 0 and 1 are GPU 0's: expert 0 is on both GPUs, 1 on the first, 2 on the second.
    const Files files(R"({"phy2log": [[0, 1, 2, 0]]})");
    const Ended run = run_process({"run", files.scenario, "--json"});
    REQUIRE(run.exit_code == 0);
    const json result = json::parse(run.out), placement = result["scenario"]["placement"];
    CHECK(placement["replicas"] == "locality");
    CHECK(placement["file"] == json{{"schema", "moesim.placement/1"},
                                    {"name", "maps.json"},
                                    {"experts", 3},
                                    {"positions", 2},
                                    {"layers", {{{0, 1}, {2, 0}}}}});
    const std::string again = files.folder.write("result.json", run.out).string();
    CHECK(run_process({"run", again, "--json"}).out == run.out);
    const Ended table = run_process({"run", files.scenario});
    CHECK(table.out.find("placement maps.json (1.33 copies an expert, the nearest)\n") != std::string::npos);

    // Weights of an expert: 3 matrices of 64 x 64 bf16 = 24,576 B; of the gate 3 x 64 x 2 B = 384 B.
    for (const json& rank : result["memory"]["ranks"]) CHECK(rank["weights_bytes"] == 2 * 24576 + 384);
    // Every token of expert 0 stays; a row is 128 B.
    const json layer = result["load"]["layers"][0];
    const std::int64_t of_0 = layer["expert_tokens"][0], first = layer["rank_tokens"][0],
                       second = layer["rank_tokens"][1];
    CHECK(first + second == 80);
    CHECK(result["traffic"]["dispatch_bytes"].get<std::int64_t>() < (80 - of_0) * 128);
}

TEST_CASE("copies in turn are loaded alike, and more travels", "[placement-scenario]") {
    // One expert on both GPUs: each has the 40 tokens of its own, or half of its own and half of the other's.
    json document = two_gpus();
    document["model"]["experts"] = 1;
    const std::string both = R"({"physical_to_logical_map": [[0, 0]]})";
    const json near = simulate_document(load_scenario(Files(both, document).scenario));
    CHECK(near["traffic"]["dispatch_bytes"] == 0);
    document["placement"]["replicas"] = "round_robin";
    const json turns = simulate_document(load_scenario(Files(both, document).scenario));
    CHECK(turns["traffic"]["dispatch_bytes"] == 40 * 128);
    for (const json& d : {near, turns}) CHECK(d["load"]["layers"][0]["rank_tokens"] == json{40, 40});
}

TEST_CASE("memory is that of the copies", "[placement-scenario]") {
    const Files files(R"({"moe_layer_count": 1, "layer_list": [{"device_list": [{"device_expert": [0, 1, 0]},
                                                                                {"device_expert": [2]}]}]})");
    const json ranks = simulate_document(load_scenario(files.scenario))["memory"]["ranks"];
    CHECK(ranks[0]["weights_bytes"] == 3 * 24576 + 384);
    CHECK(ranks[1]["weights_bytes"] == 24576 + 384);
}

TEST_CASE("a placement has to fit the scenario, and is named where it does not", "[placement-scenario][bad-input]") {
    const std::string map = R"({"layer_list": [{"device_list": [{"device_expert": [0, 1, 2]}]}]})";
    const Files other_positions(map);
    CHECK(refusal(other_positions) == other_positions.scenario +
                                          ": $.placement.file: found a placement on 1 positions, expected one on 2 "
                                          "(parallelism.expert)");
    const Files other_experts(R"({"phy2log": [[0, 1]]})");
    CHECK(refusal(other_experts) == other_experts.scenario +
                                        ": $.placement.file: found a placement of 1 layers of 2 experts, expected one "
                                        "of 1 layers of 3 experts, the model's");
    const Files odd(R"({"phy2log": [[0, 1, 2]]})");
    CHECK(refusal(odd) == odd.maps + ": $.phy2log: found 3 slots a layer, expected a multiple of 2 (positions)");
    // Without a file to say where, three experts are not shared out to two positions.
    json document = two_gpus();
    document["placement"] = {{"method", "contiguous"}};
    const Files none("{}", document);
    CHECK(refusal(none) == none.scenario + ": $.parallelism.expert: found 2, expected a divisor of the 3 experts");
}

TEST_CASE("a placement's table", "[placement-scenario][cli]") {
    const Folder folder;
    const std::string maps = folder.write("maps.json", R"({"phy2log": [[0, 1, 2, 0], [1, 1, 2, 0]]})").string();
    const Ended shown = run_process({"placement", maps, "--positions", "2"});
    CHECK(shown.exit_code == 0);
    CHECK(shown.err.empty());
    CHECK(shown.out ==
          "maps.json: eplb, 2 layers of 3 experts on 2 positions\n"
          "\n"
          "copies       4 in a layer, 2 at a position of a layer\n"
          "replicated   1 of the experts of a layer, 1 to 2 copies of an expert\n"
          "duplicates   1 copy where the expert is already, in 1 layer\n");
    const std::string ours =
        folder
            .write("ours.json", R"({"schema": "moesim.placement/1", "name": "n", "method": "by hand",
        "objective": {"name": "rows", "value": 3, "bound": 2.5}, "experts": 2, "positions": 2, "layers": [[[0], [1]]]})")
            .string();
    CHECK(run_process({"placement", ours}).out ==
          "n: moesim, 1 layer of 2 experts on 2 positions\n"
          "\n"
          "method       by hand\n"
          "objective    rows 3, at least 2.5\n"
          "copies       2 in a layer, 1 at a position of a layer\n");
}

TEST_CASE("a placement in another format", "[placement-scenario][cli]") {
    const Folder folder;
    const std::string maps = folder.write("maps.json", R"({"phy2log": [[0, 1, 2, 0]]})").string();
    CHECK(run_process({"placement", maps, "--positions", "2", "--to", "sglang"}).out ==
          "{\"physical_to_logical_map\": [\n  [0,1,2,0]\n ]}\n");
    const std::string out = (folder.path() / "ascend.json").string();
    const Ended written = run_process({"placement", maps, "--positions", "2", "--to", "vllm-ascend", "-o", out});
    CHECK(written.out == "written      " + out + "\n");
    CHECK(run_process({"placement", out, "--to", "eplb"}).out ==
          "{\"phy2log\": [\n  [0,1,2,0]\n ],\n \"log2phy\": [\n  [[0,3],[1,-1],[2,-1]]\n ],\n \"logcnt\": [\n"
          "  [2,1,1]\n ]}\n");
    const auto said = [](const std::vector<std::string>& arguments) {
        const Ended ended = run_process(arguments);
        CHECK(ended.exit_code == 2);
        CHECK(ended.out.empty());
        return ended.err;
    };
    CHECK(said({"placement", maps}) ==
          "moesim: " + maps +
              ": $.phy2log: found 4 slots a layer without the GPUs that they are on, "
              "expected to be told the number of positions that share them (--positions)\n");
    CHECK(said({"placement", out, "--positions", "4"}) ==
          "moesim: --positions: found 4, expected 2, which " + out + " says\n");
    CHECK(said({"placement", (folder.path() / "none.json").string()}) ==
          "moesim: " + (folder.path() / "none.json").string() + ": cannot open: No such file or directory\n");
}
