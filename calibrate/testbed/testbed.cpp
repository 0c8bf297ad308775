#include "calibrate/testbed/testbed.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"
#include "calibrate/testbed/connections.hpp"
#include "calibrate/testbed/cpu_groups.hpp"
#include "calibrate/testbed/held_signals.hpp"
#include "calibrate/testbed/launch.hpp"
#include "calibrate/testbed/name_space.hpp"
#include "config/json_text.hpp"
#include "config/topology_import/read_topology.hpp"

namespace moesim::testbed {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void require_root(const char* command) {
    if (geteuid() != 0)
        throw Error(
            ExitCode::machine_lacks,
            fmt::format("testbed {}: found user id {}, expected 0: network namespaces need root", command, geteuid()));
}

// A GPU that the topology has computing at a part of its speed gets that part of what the others get: of a limit that
// all have, or of a rank's share of the cores.
std::map<std::size_t, double> cpu_limits(const Request& request, const Fabric& fabric) {
    std::map<std::size_t, double> all = request.cpus;
    const double share = request.cpus_of_all.value_or(
        std::min(1.0, static_cast<double>(std::thread::hardware_concurrency()) / static_cast<double>(fabric.ranks())));
    for (std::size_t r = 0; r < fabric.ranks(); ++r)
        if (fabric.speed(RankId(r)) < 1 || request.cpus_of_all) all.emplace(r, fabric.speed(RankId(r)) * share);
    if (!all.empty() && all.rbegin()->first >= fabric.ranks())
        throw InputError(fmt::format("--cpu: found rank {}, expected one of the {} that {} has", all.rbegin()->first,
                                     fabric.ranks(), request.topology));
    return all;
}

// Of up to three measurements, since others may use the machine as well; one that is good enough ends it.
CpuCost least_cost(const Plan& plan, const Fabric& fabric, const std::function<void()>& often) {
    CpuCost least = push(plan, fabric, Seconds(1), often);
    for (int more = 0; more < 2 && least.needed() > most_cpu_of_links * least.cores; ++more)
        if (const CpuCost again = push(plan, fabric, Seconds(1), often); again.needed() < least.needed()) least = again;
    return least;
}

void check_cost(const CpuCost& cost, const Request& request) {
    if (cost.needed() <= most_cpu_of_links * cost.cores) return;
    const std::string what = fmt::format(
        "{}: found rates whose links, all full, need {:.2f} of this machine's {:.0f} cores, expected at most {:.2f}, "
        "so "
        "that the network and not the CPU is what limits",
        request.topology, cost.needed(), cost.cores, most_cpu_of_links * cost.cores);
    if (!request.force)
        throw Error(ExitCode::machine_lacks, what + "; lower bandwidths, or --force, which builds it anyway");
    fmt::print(stderr, "moesim: warning: {}\n", what);
}

void write_script(const fs::path& path, const std::string& text) {
    write_file(path, text);
    fs::permissions(path, fs::perms(0755));
}

}  // namespace

Json up(const Request& request, Machine& machine) {
    const TopologySpec topology = read_topology(fs::path(request.topology));
    check_name(request.name);
    if (topology.gpus() > static_cast<std::int64_t>(max_hosts))
        throw InputError(fmt::format("{}: found {} GPUs, expected 2 to {} for a testbed", request.topology,
                                     topology.gpus(), max_hosts));
    const Fabric fabric = build_fabric(topology);
    const auto cpus = cpu_limits(request, fabric);
    // What is wrong with the input is said first, whatever the machine lacks.
    static_cast<void>(plan(request.name, fabric, request.topology, request.settings, {}, {}));
    require_root("up");
    const auto groups = cpus.empty() ? std::nullopt : std::optional(this_machines_cpu_groups());
    Settings settings = request.settings;
    if (std::ifstream backlog(backlog_file); !(backlog >> settings.backlog)) settings.backlog = least_backlog;
    const Plan made = plan(request.name, fabric, request.topology, settings, cpus, groups);
    const HeldSignals signals;
    const StateFolder folder = StateFolder::make(request.root, request.name);
    try {
        const auto stop_if_asked = [&] { signals.check(); };
        build(made, folder, machine, stop_if_asked);
        fs::create_directory(folder.path() / "tmp");
        write_file(folder.path() / "hosts", host_file(made));
        write_script(folder.path() / "agent", launch_agent(made));
        bound_windows(made, stop_if_asked);
        const CpuCost cost = least_cost(made, fabric, stop_if_asked);
        check_cost(cost, request);
        Json document = to_json(made, fabric, topology, folder.path(), cost);
        write_file(folder.path() / testbed_document,
                   document.dump(1) + "\n");  // last: it says that the testbed is whole
        return document;
    } catch (...) {
        remove(folder, machine);
        throw;
    }
}

void down(const fs::path& root, const std::string& name, Machine& machine) {
    require_root("down");
    const HeldSignals signals;
    remove(StateFolder::open(root, name), machine);
}

Json document_of(const fs::path& root, const std::string& name) {
    check_name(name);
    const fs::path folder = root / name;
    if (!fs::exists(folder))
        throw InputError(fmt::format("{}: found no testbed of that name, expected one that moesim testbed up made",
                                     folder.string()));
    if (!fs::exists(folder / testbed_document))
        throw InputError(fmt::format("{}: found a testbed that is not whole; moesim testbed down --name {} removes it",
                                     folder.string(), name));
    return Json::parse(read_file(folder / testbed_document, max_json_bytes));
}

void run(const Json& document, std::size_t ranks, const std::vector<std::string>& command) {
    require_root("run");
    const std::size_t hosts = document["hosts"].size();
    if (ranks > hosts)
        throw InputError(fmt::format("-n: found {}, expected at most {}, the hosts of {}", ranks, hosts,
                                     document["name"].get<std::string>()));
    auto arguments = document["mpirun"].get<std::vector<std::string>>();
    arguments.insert(arguments.end(), {"-np", fmt::format("{}", ranks == 0 ? hosts : ranks)});
    arguments.insert(arguments.end(), command.begin(), command.end());
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    InNameSpace control(document["control_namespace"].get<std::string>());
    execvp(argv[0], argv.data());
    throw Error(ExitCode::machine_lacks,
                fmt::format("{}: {}; scripts/install-packages testbed installs it", argv[0], std::strerror(errno)));
}

}  // namespace moesim::testbed
