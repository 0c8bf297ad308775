#include "cli/testbed.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "calibrate/testbed/testbed.hpp"
#include "cli/output.hpp"
#include "config/quantity.hpp"

namespace moesim {
namespace {

struct TestbedArguments {
    testbed::Request request;
    std::vector<std::string> cpus;
    std::string queue, eager;
    std::size_t ranks = 0;
    std::vector<std::string> command;
    bool json = false;
};

double quantity(const char* option, const std::string& text, Dimension dimension, double least, double most) {
    const auto value = parse_quantity(text, dimension);
    if (!value || !(*value >= least && *value <= most))
        throw InputError(fmt::format("{}: found \"{}\", expected {} from {} to {}", option, text, noun_of(dimension),
                                     readable_quantity(least, dimension), readable_quantity(most, dimension)));
    return *value;
}

// "3=0.25": a quarter of a core for rank 3; "all=0.25": for each that has no other.
void add_cpu_limit(const std::string& text, testbed::Request& request) {
    const auto equals = text.find('=');
    const bool all = text.substr(0, equals) == "all";
    std::size_t rank = 0, rank_end = 3, cores_end = 0;
    double cores = 0;
    try {
        if (!all) rank = std::stoul(text.substr(0, equals), &rank_end);
        if (equals != text.npos) cores = std::stod(text.substr(equals + 1), &cores_end);
    } catch (const std::logic_error&) {
        cores = 0;
    }
    const bool whole = equals != text.npos && rank_end == equals && equals + 1 + cores_end == text.size();
    if (!whole || text[0] == '-' || !(cores >= 0.01 && cores <= 1024))
        throw InputError(fmt::format(
            "--cpu: found \"{}\", expected RANK=CORES or all=CORES, from 0.01 to 1024 cores, such as 3=0.25", text));
    if (all)
        request.cpus_of_all = cores;
    else
        request.cpus.insert_or_assign(rank, cores);
}

void up(TestbedArguments& o) {
    for (const std::string& text : o.cpus) add_cpu_limit(text, o.request);
    if (!o.queue.empty()) o.request.settings.queue = Seconds(quantity("--queue", o.queue, Dimension::time, 0.001, 10));
    if (!o.eager.empty()) {
        o.request.settings.eager = Bytes(std::llround(quantity("--eager", o.eager, Dimension::bytes, 1024, 1 << 30)));
        o.request.settings.buffer = std::max(o.request.settings.buffer, o.request.settings.eager * 2);
    }
    testbed::ThisMachine machine;
    const auto document = testbed::up(o.request, machine);
    try {
        print(testbed::table(document));
    } catch (...) {  // nobody would know that it is there
        testbed::down(o.request.root, o.request.name, machine);
        throw;
    }
}

void show(const TestbedArguments& o, bool one) {
    if (one || o.json) {
        const auto document = testbed::document_of(o.request.root, o.request.name);
        return print(o.json ? document.dump(1) + "\n" : testbed::table(document));
    }
    std::string text;
    for (const std::string& name : testbed::StateFolder::names(o.request.root)) text += name + "\n";
    print(text.empty() ? "no testbed is up\n" : text);
}

void add_place(CLI::App& command, const std::shared_ptr<TestbedArguments>& options) {
    command.add_option("--name", options->request.name, "of the testbed (testbed)");
    command.add_option("--state", options->request.root, "the folder that testbeds are written down in")
        ->capture_default_str();
}

void add_up(CLI::App& group, const std::shared_ptr<TestbedArguments>& options) {
    CLI::App* command = group.add_subcommand("up", "Builds a cluster");
    testbed::Request& request = options->request;
    command->add_option("TOPOLOGY", request.topology, "moesim.topology/1 file; topologies/testbed has some")
        ->required();
    add_place(*command, options);
    command->add_option("--cpu", options->cpus, "RANK=CORES, all=CORES: CPU time that a rank gets at most; repeatable")
        ->allow_extra_args(false);
    command->add_flag("--force", request.force, "even where the CPU is too slow for all links to be full");
    command->add_option("--congestion-control", request.settings.congestion_control, "of TCP")->capture_default_str();
    command->add_option("--queue", options->queue, "how long a full queue of a link takes to empty (2s)");
    command->add_option("--eager", options->eager, "the largest message that MPI sends at once (4MiB)");
    command->callback([options] { up(*options); });
}

}  // namespace

void add_testbed_command(CLI::App& app) {
    auto options = std::make_shared<TestbedArguments>();
    CLI::App* group =
        app.add_subcommand("testbed", "A cluster on this machine, of network namespaces with shaped links (root only)");
    group->require_subcommand(1);
    add_up(*group, options);

    CLI::App* run = group->add_subcommand("run", "Runs a program under mpirun, rank r on the testbed's host r");
    add_place(*run, options);
    run->add_option("-n,--np", options->ranks, "how many ranks (all)")->check(CLI::Range(1, 100'000));
    run->add_option("COMMAND", options->command, "after --, with its arguments")->required();
    run->callback([options] {
        testbed::run(testbed::document_of(options->request.root, options->request.name), options->ranks,
                     options->command);
    });

    CLI::App* show = group->add_subcommand("show", "Shows a testbed, or without --name which ones are up");
    add_place(*show, options);
    show->add_flag("--json", options->json, "the moesim.testbed/1 document");
    show->callback([options, show] { moesim::show(*options, show->count("--name") > 0); });

    CLI::App* down = group->add_subcommand("down", "Removes a testbed with all that runs on it");
    add_place(*down, options);
    down->callback([options] {
        testbed::ThisMachine machine;
        testbed::down(options->request.root, options->request.name, machine);
    });
}

}  // namespace moesim
