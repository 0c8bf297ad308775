// The layering of the design, held against the sources: includes go only from a later folder of sim/ to an earlier
// one, and foreign headers stay where they belong.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "support/catch.hpp"

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> layers = {"base",    "config", "workload", "topology", "placement", "traffic", "cost",
                                         "network", "engine", "result",   "planner",  "study",     "cli"};
// Pairs that do not know each other although one comes after the other.
const std::vector<std::set<std::string>> strangers = {
    {"workload", "topology"}, {"workload", "placement"}, {"topology", "placement"}, {"traffic", "cost"}};

std::size_t place(const std::string& folder) {
    return static_cast<std::size_t>(std::find(layers.begin(), layers.end(), folder) - layers.begin());
}

std::string complaint(const std::string& folder, const std::string& include) {
    const auto only_in = [&](std::initializer_list<const char*> folders) {
        return std::find(folders.begin(), folders.end(), folder) != folders.end();
    };
    if (include.rfind("simgrid/", 0) == 0 || include.rfind("xbt/", 0) == 0)
        return only_in({"network", "engine"}) ? "" : "SimGrid outside of network and engine";
    if (include == "mpi.h") return only_in({"study"}) ? "" : "MPI outside of study";
    if (include.rfind("Cbc", 0) == 0 || include.rfind("Clp", 0) == 0 || include.rfind("Coin", 0) == 0 ||
        include == "metis.h")
        return only_in({"planner"}) ? "" : "a solver outside of planner";
    if (include.rfind("cuda", 0) == 0 || include.rfind("nccl", 0) == 0) return "CUDA or NCCL in sim";
    const std::string other = include.substr(0, include.find('/'));
    if (place(other) == layers.size()) return "";
    if (place(other) > place(folder)) return "an earlier folder includes a later one";
    for (const auto& pair : strangers)
        if (folder != other && pair.count(folder) + pair.count(other) == 2) return "the two do not know each other";
    return "";
}

// What a line includes; empty where it does not.
std::string included(const std::string& line) {
    const auto word = line.find("#include");
    const auto open = line.find_first_of("<\"", word == line.npos ? line.size() : word);
    if (open == line.npos) return "";
    return line.substr(open + 1, line.find_first_of(">\"", open + 1) - open - 1);
}

}  // namespace

TEST_CASE("includes follow the order of the folders") {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(MOESIM_SOURCE_DIR) / "sim")) {
        if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
        ++files;
        const std::string folder =
            entry.path().lexically_relative(fs::path(MOESIM_SOURCE_DIR) / "sim").begin()->string();
        INFO(entry.path());
        CHECK(place(folder) < layers.size());
        std::ifstream in(entry.path());
        for (std::string line; std::getline(in, line);) {
            INFO(line);
            CHECK(complaint(folder, included(line)) == "");
        }
    }
    CHECK(files > 40);
}

TEST_CASE("the rule complains where it should") {
    CHECK(included("#include \"engine/plan.hpp\"  // why") == "engine/plan.hpp");
    CHECK(included("  #include <vector>") == "vector");
    CHECK(included("int x = 1;") == "");
    CHECK(complaint("config", "engine/plan.hpp") != "");
    CHECK(complaint("traffic", "cost/roofline.hpp") == "an earlier folder includes a later one");
    CHECK(complaint("cost", "traffic/grid.hpp") == "the two do not know each other");
    CHECK(complaint("result", "simgrid/s4u.hpp") != "");
    CHECK(complaint("engine", "network/message.hpp") == "");
    CHECK(complaint("study", "CbcModel.hpp") == "a solver outside of planner");
    CHECK(complaint("engine", "vector") == "");
}
