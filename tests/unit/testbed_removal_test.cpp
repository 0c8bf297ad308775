// That nothing is left of a testbed, wherever its commands fail or moesim is killed, and that it leaves the rest alone.
#include <set>

#include "calibrate/testbed/build.hpp"
#include "calibrate/testbed/state_folder.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/testbed_of_two.hpp"

using namespace moesim;
using namespace moesim::testbed;
using moesim::test::Folder;
using moesim::test::plan_of;
using moesim::test::two_hosts;

namespace {

struct Killed {};

// A machine that only remembers what there is, and on which the n-th command fails, or ends moesim.
class FakeMachine final : public Machine {
  public:
    std::set<std::string> there;  // paths
    std::string backlog = "1000";
    std::map<std::string, int> processes;  // by namespace or group
    std::size_t runs = 0, fail_at = ~std::size_t{0}, die_at = ~std::size_t{0};
    std::vector<std::string> removed;  // in order

    std::string run(const Command& c) override {
        const std::size_t now = runs++;
        if (now == die_at) throw Killed{};
        const auto& a = c.argv;
        if (a[0] == "sh" && a[2].rfind("kill", 0) == 0) {
            for (auto& [where, count] : processes) count = 0;
            return "";
        }
        const bool space = a[0] == "ip" && a[1] == "netns";
        if (space && a[2] == "pids") return running("/run/netns/" + a[3]);
        if (a[0] == "cat") return running(a[1].substr(0, a[1].rfind('/')));
        if (space && a[2] == "delete") return remove("/run/netns/" + a[3]);
        if (a[0] == "rmdir") return remove(a[1]);
        if (a[0] == "tee" && a[1] == backlog_file) backlog = c.input;
        if (now == fail_at) throw CommandFailed("asked to fail");
        if (space && a[2] == "add") return make("/run/netns/" + a[3]);
        if (a[0] == "mkdir") return make(a[1]);
        return "";
    }
    [[nodiscard]] bool exists(const std::string& path) const override {
        return path == backlog_file || there.count(path) > 0;
    }
    void wait_a_little() override {}

  private:
    std::string running(const std::string& where) {
        CHECK(exists(where));
        return processes[where] > 0 ? "4711\n4712\n" : "";
    }
    std::string make(const std::string& path) {
        if (!there.insert(path).second) throw CommandFailed(path + " is there");
        processes[path] = 1;  // something begins to run there at once
        return "";
    }
    std::string remove(const std::string& path) {
        if (processes[path] > 0) throw CommandFailed(path + " is busy");
        if (there.erase(path) == 0) throw CommandFailed(path + " is not there");
        removed.push_back(path);
        return "";
    }
};

const std::vector<std::string> all_made = {"/run/netns/moesim-t-switches", "/run/netns/moesim-t-gpu0",
                                           "/run/netns/moesim-t-gpu1", "/run/netns/moesim-t-control",
                                           "/groups/moesim-t-gpu1"};

}  // namespace

TEST_CASE("what a testbed made goes, the newest first", "[testbed]") {
    const Folder folder;
    FakeMachine machine;
    const StateFolder state = StateFolder::make(folder.path() / "root", "t");
    build(plan_of(two_hosts(), {{1, 0.25}}), state, machine, [] {});
    CHECK(machine.there.size() == all_made.size());
    remove(state, machine);
    CHECK(machine.removed == std::vector<std::string>(all_made.rbegin(), all_made.rend()));
    CHECK(folder.names().empty());
}

TEST_CASE("whichever command of a testbed fails, nothing is left", "[testbed][property]") {
    const Plan p = plan_of(two_hosts(), {{1, 0.25}});
    for (std::size_t at = 0; at < p.steps.size(); ++at) {
        const Folder folder;
        FakeMachine machine;
        machine.fail_at = at;
        const StateFolder state = StateFolder::make(folder.path() / "root", "t");
        CHECK_THROWS_AS(build(p, state, machine, [] {}), CommandFailed);
        CHECK(machine.runs == at + 1);
        remove(state, machine);
        CHECK(machine.there.empty());
        CHECK(machine.backlog == "1000");
        CHECK(folder.names().empty());
        CHECK(machine.removed.size() <= all_made.size());
    }
}

TEST_CASE("wherever moesim is killed, another one removes what there is of a testbed", "[testbed][property]") {
    const Plan p = plan_of(two_hosts(), {{1, 0.25}});
    std::size_t commands = 0;
    for (std::size_t at = 0; at <= p.steps.size() + commands; ++at) {  // while building, or while removing
        const Folder folder;
        FakeMachine machine;
        machine.die_at = at;
        try {
            const StateFolder state = StateFolder::make(folder.path() / "root", "t");
            build(p, state, machine, [] {});
            if (at > p.steps.size()) remove(state, machine);
        } catch (const Killed&) {
        }
        machine.die_at = ~std::size_t{0};
        if (at == p.steps.size()) {
            const std::size_t before = machine.runs;
            remove(StateFolder::open(folder.path() / "root", "t"), machine);
            commands = machine.runs - before - 1;
        } else {
            remove(StateFolder::open(folder.path() / "root", "t"), machine);
        }
        CHECK(machine.there.empty());
        CHECK(machine.backlog == "1000");
        CHECK(folder.names().empty());
    }
    CHECK(commands > 10);
}

TEST_CASE("a testbed leaves alone what it did not make", "[testbed]") {
    const Folder folder;
    FakeMachine machine;
    machine.there = {"/run/netns/moesim-t-gpu1", "/run/netns/other"};
    const StateFolder state = StateFolder::make(folder.path() / "root", "t");
    CHECK_THROWS_AS(build(plan_of(two_hosts()), state, machine, [] {}), InputError);
    remove(state, machine);
    CHECK(machine.there.size() == 2);
    CHECK(machine.runs == 0);
}

TEST_CASE("a name is one testbed's, and one process's at a time", "[testbed]") {
    const Folder folder;
    CHECK_THROWS_AS(StateFolder::open(folder.path(), "t"), InputError);
    {
        const StateFolder held = StateFolder::make(folder.path(), "t");
        CHECK_THROWS_AS(StateFolder::make(folder.path(), "t"), InputError);
        CHECK_THROWS_AS(StateFolder::open(folder.path(), "t", 1), InputError);  // held
    }
    CHECK(StateFolder::names(folder.path()) == std::vector<std::string>{"t"});
    CHECK(StateFolder::open(folder.path(), "t").made().empty());
    for (const char* name : {"", "..", "a/b", "-a", "A", "a b", "abcdefghijklmnopqrstuvwxy"})
        CHECK_THROWS_AS(check_name(name), InputError);
}
