// `moesim topology`.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/topology_import/read_topology.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/topologies.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

const std::string shipped = std::string(MOESIM_SOURCE_DIR) + "/topologies/h100-4-nodes.json";

std::string said(const std::vector<std::string>& arguments) {
    const Ended ended = run_process(arguments);
    CHECK(ended.exit_code == 2);
    CHECK(ended.out.empty());
    return ended.err;
}

}  // namespace

TEST_CASE("a cluster's table", "[topology][cli]") {
    // 32 GPUs, two leaves of 16 with uplinks of 16 x 50 GB/s. Of 31 others 7 are in the node, 8 at the leaf, 16 beyond.
    const Ended ended = run_process({"topology", shipped});
    CHECK(ended.exit_code == 0);
    CHECK(ended.err.empty());
    CHECK(ended.out ==
          "h100-4-nodes: fat_tree, 32 GPUs in 4 nodes\n"
          "\n"
          "bisection    800.0 GB/s from GPUs 0 to 15 to the others, the least cut\n"
          "             800.0 GB/s where each of them sends to each other one alike\n"
          "links        64 nvlink of 450.0 GB/s\n"
          "             64 nic of 50.00 GB/s\n"
          "             4 uplink of 800.0 GB/s\n"
          "paths        3.032 links on average: 480 of 2, 512 of 4\n"
          "\n"
          "from GPU to GPU over                            pairs  links   latency                  narrowest link\n"
          "in a node: 2 nvlink                               224      2   2.300 us                 450.0 GB/s\n"
          "2 nic                                             256      2   1.900 us                 50.00 GB/s\n"
          "nic, 2 uplink, nic                                512      4   3.200 us                 50.00 GB/s\n");
}

TEST_CASE("a cluster's document", "[topology][cli]") {
    const auto j = nlohmann::json::parse(run_process({"topology", shipped, "--json"}).out);
    CHECK(j["schema"] == "moesim.topology-description/1");
    CHECK(j["gpus"] == 32);
    CHECK(j["bisection_bytes_per_s"] == 8e11);
    CHECK(j["links"][0] == nlohmann::json{{"class", "nvlink"}, {"bytes_per_s", 4.5e11}, {"count", 64}});
    CHECK(j["pairs_by_hops"][1] == nlohmann::json{{"hops", 4}, {"pairs", 512}});
    CHECK(j["distances"].size() == 3);
    CHECK(j["distances"][0]["inside_node"] == true);
    CHECK(j["distances"][2]["path"].size() == 3);
    CHECK(j["distances"][2]["latency_s"]["least"].get<double>() == Approx(3.2e-6));
}

TEST_CASE("one GPU has nobody to send to", "[topology][cli]") {
    const Folder folder;
    TopologySpec t = small_torus({2});
    t.kind = TopologyKind::nvswitch_node;
    t.nodes = 1;
    t.nvlink = t.nic;
    const std::string file = folder.write("one.json", to_json(t).dump()).string();
    CHECK(run_process({"topology", file}).out ==
          "small-torus: nvswitch_node, 1 GPU in 1 node\n\nlinks        2 nvlink of 1.000 GB/s\n");
    const auto j = nlohmann::json::parse(run_process({"topology", file, "--json"}).out);
    CHECK(j["bisection_bytes_per_s"] == 0);
    CHECK(j["distances"].empty());
}

TEST_CASE("exports go to stdout or to a file", "[topology][cli]") {
    const Folder folder;
    const std::string out = (folder.path() / "list.json").string();
    const Ended written = run_process({"topology", shipped, "--export", "moesim", "-o", out});
    CHECK(written.exit_code == 0);
    CHECK(written.out == "written      " + out + "\n");
    const TopologySpec t = read_topology(out);
    CHECK(t.kind == TopologyKind::links);
    CHECK(t.gpus() == 32);
    CHECK(slurp(out) == run_process({"topology", out, "--export", "moesim"}).out);
    CHECK(run_process({"topology", shipped, "--export", "htsim", "--bytes", "2MB"})
              .out.rfind("Nodes 32\nConnections 992\n0->1 id 1 start 0 size 2000000\n", 0) == 0);
    CHECK(run_process({"topology", shipped, "--export", "dot"}).out.rfind("digraph \"h100-4-nodes\" {\n", 0) == 0);
    CHECK(run_process({"topology", shipped, "--export", "simgrid"}).out.find("<route src=\"gpu31\" dst=\"gpu0\"") !=
          std::string::npos);
}

TEST_CASE("wrong uses of moesim topology are refused", "[topology][cli]") {
    CHECK(said({"topology"}) == "moesim: TOPOLOGY is required (moesim --help shows the usage)\n");
    CHECK(said({"topology", shipped, "--json", "--export", "dot"}) ==
          "moesim: --json: found it beside --export, expected one of the two\n");
    CHECK(said({"topology", shipped, "--bytes", "1MB"}) ==
          "moesim: --bytes: found it without --export htsim, expected it beside that\n");
    CHECK(said({"topology", shipped, "--export", "htsim", "--bytes", "many"}) ==
          "moesim: --bytes: found \"many\", expected a size from 1B to 1000TB, such as \"4MiB\"\n");
    CHECK(said({"topology", "/nonexistent.json"}) ==
          "moesim: /nonexistent.json: cannot open: No such file or directory\n");
    const std::string scenario = std::string(MOESIM_SOURCE_DIR) + "/scenarios/main/top2-64-experts-32-h100.json";
    CHECK(said({"topology", scenario}) == "moesim: " + scenario +
                                              ": $.schema: found \"moesim.scenario/1\", expected "
                                              "\"moesim.topology/1\"\n");
    const Folder folder;
    TopologySpec huge = small_rails(8192, 256, CrossRail::spine);
    const std::string file = folder.write("huge.json", to_json(huge).dump()).string();
    CHECK(said({"topology", file}) == "moesim: " + file + ": found 2097152 GPUs, expected at most 16384 to be shown\n");
}
