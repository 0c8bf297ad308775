// moesim execute as a program, on one rank and, where there is an mpirun, on several.
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/scenario_json.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

std::string document_of(std::int64_t ranks) {
    Scenario s = tiny(ranks, 12);
    s.model.top_k = 1;
    s.model.moe_layers = 2;
    return to_json(s).dump();
}

bool has_mpi() {
    return std::system("command -v mpirun >/dev/null 2>&1 && ldd " MOESIM_PROGRAM " | grep -q libmpi") == 0;
}

// The exit code of moesim execute under mpirun.
int mpirun(int ranks, const std::string& arguments, const std::filesystem::path& said) {
    const std::string command =
        "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 60 mpirun --oversubscribe -np " +
        std::to_string(ranks) + " " MOESIM_PROGRAM " execute " + arguments + " >" + said.string() + " 2>&1 </dev/null";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("execute: one rank alone, checked, with document and trace") {
    if (!has_mpi()) return;
    const Folder folder;
    const auto scenario = folder.write("s.json", document_of(1)).string();
    const std::string run = folder.path() / "run.json", trace = folder.path() / "trace.json";
    const Ended ended = run_process({"execute", scenario, "--check", "-o", run, "--trace", trace, "--repeats", "2"});
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
    CHECK(ended.out.find("the same as one process computes") != std::string::npos);
    const auto document = nlohmann::json::parse(slurp(run));
    CHECK(document["runs"].size() == 2);
    CHECK(document["dispatch_bytes"] == 0);
    CHECK(nlohmann::json::parse(slurp(trace))["traceEvents"].size() > 20);
    // It can be simulated again, and held against itself.
    CHECK(run_process({"run", run, "--json"}).exit_code == 0);
    const Ended held = run_process({"validate", scenario, "--measured", run, "--draws", "2", "--json"});
    INFO(held.err);
    CHECK(held.exit_code == 0);
    CHECK(nlohmann::json::parse(held.out)["runs"][0]["total"]["measured_s"] > 0);
    const Ended strict = run_process({"validate", scenario, "--measured", run, "--draws", "0", "--max-error", "0"});
    CHECK(strict.exit_code == 1);
    CHECK(strict.err.find("(--max-error)") != std::string::npos);
}

TEST_CASE("execute: what cannot be executed is said, with the exit code of its kind") {
    if (!has_mpi()) return;
    const Folder folder;
    const auto fails = [&](const std::string& file, int code, const std::string& said,
                           const std::string& more = "--json") {
        const Ended ended = run_process({"execute", file, more});
        INFO(ended.err);
        CHECK(ended.exit_code == code);
        CHECK(ended.err.find(said) != std::string::npos);
        CHECK(ended.out.empty());
    };
    fails(folder.write("two.json", document_of(2)).string(), 3, "found 1 started together, expected 2: mpirun -np 2");
    fails((folder.path() / "none.json").string(), 2, "none.json");
    Scenario s = tiny(1, 4);
    s.dispatch.return_dtype = Dtype::fp8;
    fails(folder.write("fp8.json", to_json(s).dump()).string(), 2, "$.dispatch.return_dtype: found fp8, expected bf16");
    fails(folder.write("one.json", document_of(1)).string(), 3, "--backend cuda", "--backend=cuda");
    fails(folder.write("one.json", document_of(1)).string(), 2, "--repeats", "--repeats=0");
}

TEST_CASE("execute: three ranks under mpirun give what one process computes") {
    if (!has_mpi()) return;
    const Folder folder;
    const auto scenario = folder.write("s.json", document_of(3)).string();
    const auto said = folder.path() / "said";
    const auto run = folder.path() / "run.json";
    INFO(slurp(scenario));
    const int code = mpirun(3, scenario + " --check --repeats 1 -o " + run.string(), said);
    INFO(slurp(said));
    CHECK(code == 0);
    CHECK(nlohmann::json::parse(slurp(run))["reference"] == "the same as one process computes");
    CHECK(mpirun(3, scenario + " --one-thread --check --repeats 1", said) == 0);
    // All ranks meet the same fault, and one says so.
    CHECK(mpirun(2, scenario, said) == 3);
    const std::string text = slurp(said);
    const auto first = text.find("found 2 started together");
    REQUIRE(first != std::string::npos);
    CHECK(text.find("found 2 started together", first + 1) == std::string::npos);
}
