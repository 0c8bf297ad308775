// The program's side of bad input: exit codes, one line on stderr, and files that appear whole or not at all.
#include "base/file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "base/error.hpp"
#include "config/json_text.hpp"
#include "config/scenario_json.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

fs::path write_scenario(const Folder& folder) { return folder.write("scenario.json", to_json(tiny(4, 64)).dump(1)); }

std::string message_of(const fs::path& path) {
    try {
        load_scenario(path);
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

const std::string usage = " (moesim --help shows the usage)\n";

}  // namespace

TEST_CASE("a wrong command line ends with code 2 and one line that says what is wrong", "[cli]") {
    const Folder folder;
    const std::string scenario = write_scenario(folder).string();
    struct Case {
        Names arguments;
        std::string message;
    };
    const std::vector<Case> cases = {
        {{}, "A subcommand is required"},
        {{"run"}, "SCENARIO is required"},
        {{"run", scenario, scenario}, "The following argument was not expected: " + scenario},
        {{"run", scenario, "--frobnicate"}, "The following argument was not expected: --frobnicate"},
        {{"run", scenario, "--out"}, "--out: 1 required TEXT missing"},
        {{"run", scenario, "--seed", "-1"}, "--seed: Value -1 not in range 0 to 9223372036854775807"},
        {{"run", scenario, "--seed", "1.5"}, "--seed: Value 1.5 not in range 0 to 9223372036854775807"},
        {{"run", scenario, "--seed", "9223372036854775808"},
         "--seed: Value 9223372036854775808 not in range 0 to 9223372036854775807"},
        {{"run", scenario, "--seed", "two"}, "--seed: Value two not in range 0 to 9223372036854775807"},
    };
    for (const Case& c : cases) {
        INFO(c.message);
        const Ended ended = run_process(c.arguments);
        CHECK(ended.exit_code == 2);
        CHECK(ended.err == "moesim: " + c.message + usage);
        CHECK(ended.out.empty());
    }
}

TEST_CASE("what is no readable file is refused by its name", "[cli]") {
    const Folder folder;
    const auto said = [&](const fs::path& path) {
        const std::string message = message_of(path);
        const Ended ended = run_process({"run", path.string(), "--out", (folder.path() / "out").string()});
        CHECK(ended.exit_code == 2);
        CHECK(ended.err == "moesim: " + message + "\n");
        CHECK(ended.out.empty());
        CHECK_FALSE(fs::exists(folder.path() / "out"));
        return message;
    };
    CHECK(said("") == "\"\": cannot open: No such file or directory");
    const std::string missing = (folder.path() / "missing.json").string();
    CHECK(said(missing) == missing + ": cannot open: No such file or directory");
    CHECK(said(folder.path()) == folder.path().string() + ": is a directory, expected a file");
    const std::string fifo = (folder.path() / "fifo").string();
    REQUIRE(::mkfifo(fifo.c_str(), 0666) == 0);
    CHECK(said(fifo) == fifo + ": is a device or a pipe, expected a file");
    CHECK(said("/dev/null") == "/dev/null: is a device or a pipe, expected a file");
    const std::string empty = folder.write("empty.json", "").string();
    CHECK(said(empty) == empty + ": $: found an empty file, expected a JSON document");
    const std::string blank = folder.write("blank.json", " \n\t\r\n").string();
    CHECK(said(blank) == blank + ": $: found an empty file, expected a JSON document");
    const std::string huge = folder.write("huge.json", "").string();
    fs::resize_file(huge, max_json_bytes + 1);
    CHECK(said(huge) == huge + ": is larger than 67108864 bytes, the limit for this kind of file");
    const std::string loop = (folder.path() / "loop.json").string();
    fs::create_symlink(loop, loop);
    CHECK(said(loop) == loop + ": cannot open: Too many levels of symbolic links");
}

TEST_CASE("a file without read permission is refused", "[cli]") {
    const Folder folder;
    const std::string scenario = write_scenario(folder).string();
    fs::permissions(scenario, fs::perms::none);
    Conditions nobody;
    nobody.unprivileged = true;
    const Ended ended = run_process({"run", scenario}, nobody);
    CHECK(ended.exit_code == 2);
    CHECK(ended.err == "moesim: " + scenario + ": cannot open: Permission denied\n");
    CHECK(ended.out.empty());
}

TEST_CASE("a folder that takes no files is refused for --out", "[cli]") {
    const Folder folder;
    const std::string scenario = write_scenario(folder).string();
    Conditions nobody;
    nobody.unprivileged = true;
    const auto said = [&](const std::string& out) {
        const Ended ended = run_process({"run", scenario, "--out", out}, nobody);
        CHECK(ended.exit_code == 2);
        CHECK(ended.out.empty());
        return ended.err;
    };
    CHECK(said("") == "moesim: \"\": found an empty name, expected a folder\n");
    CHECK(said(scenario) == "moesim: " + scenario + ": is a file, expected a folder\n");
    CHECK(said(scenario + "/below") == "moesim: " + scenario + "/below: cannot create the folder: Not a directory\n");
    const std::string closed = (folder.path() / "closed").string();
    fs::create_directory(closed);
    fs::permissions(closed, fs::perms(0555));
    CHECK(said(closed) == "moesim: " + closed + ": cannot write into the folder: Permission denied\n");
    CHECK(said(closed + "/below") == "moesim: " + closed + "/below: cannot create the folder: Permission denied\n");
    CHECK(folder.names() == Names{"closed", "scenario.json"});
}

TEST_CASE("a disk that fills up leaves no partial and no temporary file, and the old content", "[cli]") {
    const Folder folder;
    const std::string scenario = write_scenario(folder).string(), out = (folder.path() / "out").string();
    REQUIRE(run_process({"run", scenario, "--out", out}).exit_code == 0);
    const std::string result = slurp(out + "/result.json"), trace = slurp(out + "/trace.json");
    REQUIRE(folder.names() == Names{"out", "out/result.json", "out/trace.json", "scenario.json"});
    REQUIRE(result.size() > 4096);
    REQUIRE(trace.size() > 4096);
    const auto short_one = static_cast<long>(std::min(result.size(), trace.size()));
    for (const long most : {0L, 1L, 4096L, short_one}) {
        INFO(most);
        Conditions full;
        full.largest_file = most;
        const Ended ended = run_process({"run", scenario, "--out", out, "--seed", "2"}, full);
        CHECK(ended.exit_code == 2);
        const std::string file =
            out + (most == short_one && trace.size() < result.size() ? "/result.json" : "/trace.json");
        CHECK(ended.err == "moesim: " + file + ": cannot write: File too large\n");
        CHECK(folder.names() == Names{"out", "out/result.json", "out/trace.json", "scenario.json"});
        CHECK(slurp(out + "/result.json") == result);
        CHECK(slurp(out + "/trace.json") == trace);
    }
}

TEST_CASE("an output file's name that a folder has is refused, and the other file does not appear alone", "[cli]") {
    const Folder folder;
    const std::string scenario = write_scenario(folder).string(), out = (folder.path() / "out").string();
    fs::create_directories(out + "/trace.json");
    const Ended ended = run_process({"run", scenario, "--out", out});
    CHECK(ended.exit_code == 2);
    CHECK(ended.err == "moesim: " + out + "/trace.json: is a directory, expected a file\n");
    CHECK(folder.names() == Names{"out", "out/trace.json", "scenario.json"});
}

TEST_CASE("a scenario that does not fit the GPUs' memory is refused after routing, and writes no file", "[cli]") {
    const Folder folder;
    Scenario s = tiny(4, 64);
    s.profile.memory_capacity.value = Bytes(1'000'000);
    s.model.hidden = 4096;
    const std::string scenario = folder.write("scenario.json", to_json(s).dump()).string();
    const std::string out = (folder.path() / "out").string();
    const Ended ended = run_process({"run", scenario, "--out", out});
    CHECK(ended.exit_code == 2);
    CHECK(ended.err.rfind("moesim: " + scenario + ": $.model: found 0.00 GiB of memory needed on rank ", 0) == 0);
    CHECK(ended.out.empty());
    CHECK(folder.names() == Names{"out", "scenario.json"});
}

TEST_CASE("an answer that stdout does not take is an error", "[cli]") {
    const Folder folder;
    const std::string scenario = write_scenario(folder).string();
    Conditions full, closed;
    full.out = Stdout::full;
    closed.out = Stdout::closed;
    for (const Names& arguments : {Names{"run", scenario}, Names{"run", scenario, "--json"}, Names{"--help"},
                                   Names{"run", "--help"}, Names{"--version"}}) {
        INFO(arguments.back());
        const Ended on_full = run_process(arguments, full), on_closed = run_process(arguments, closed);
        CHECK(on_full.exit_code == 2);
        CHECK(on_full.err == "moesim: stdout: cannot write the answer: No space left on device\n");
        CHECK(on_closed.exit_code == 2);
        CHECK(on_closed.err == "moesim: stdout: cannot write the answer: Bad file descriptor\n");
    }
}

TEST_CASE("a closed stderr changes no exit code", "[cli]") {
    const Folder folder;
    Conditions closed;
    closed.err_closed = true;
    CHECK(run_process({"run", write_scenario(folder).string()}, closed).exit_code == 0);
    CHECK(run_process({"run", folder.path().string()}, closed).exit_code == 2);
    CHECK(run_process({}, closed).exit_code == 2);
}

TEST_CASE("a file that is pending appears by commit only", "[cli]") {
    const Folder folder;
    const fs::path file = folder.write("file", "old");
    { const PendingFile pending(file, "new"); }
    CHECK(slurp(file) == "old");
    CHECK(folder.names() == Names{"file"});
    PendingFile pending(file, "new");
    CHECK(slurp(file) == "old");
    pending.commit();
    CHECK(slurp(file) == "new");
    CHECK(folder.names() == Names{"file"});
    const mode_t mask = ::umask(0);
    ::umask(mask);
    CHECK(static_cast<mode_t>(fs::status(file).permissions()) == (0666 & ~mask));
}
