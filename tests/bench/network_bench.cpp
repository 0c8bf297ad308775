// One skewed all-to-all under the network models: figures that README quotes. Prints a table; asserts nothing.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <limits>
#include <stdexcept>
#include <vector>

#include "base/random.hpp"
#include "config/profile.hpp"
#include "network/fluid/fluid_network.hpp"
#include "network/placement_loads.hpp"
#include "network/simulated_cluster.hpp"
#include "topology/fabric.hpp"

namespace {

using namespace moesim;

// Nodes of eight H100 under leaves of two nodes; every link attains what it is rated at.
Fabric cluster(std::size_t ranks) {
    TopologySpec t;
    t.kind = TopologyKind::fat_tree;
    t.nodes = static_cast<std::int64_t>(ranks / 8);
    t.nvlink.bandwidth = BytesPerSecond(450e9);
    t.nic.bandwidth = BytesPerSecond(50e9);
    t.nodes_per_leaf = 2;
    t.uplink.bandwidth = t.nic.bandwidth * 16.0;
    return build_fabric(t);
}

Profile rated() {
    Profile p;
    p.nvlink.efficiency.value = p.nic.efficiency.value = 1;
    return p;
}

// Every pair once, with 0.6 to 1.6 MB, all different.
template <class Start>
void start_all(std::size_t ranks, Start start) {
    RandomStream random(stream_key(1, 1), ranks);
    std::uint32_t token = 0;
    for (std::size_t i = 0; i < ranks; ++i)
        for (std::size_t j = 0; j < ranks; ++j) {
            const double bytes = std::floor(1e6 * std::exp(random.uniform() - 0.5));
            if (i != j) start(token++, RankId(i), RankId(j), bytes);
        }
}

struct Run {
    double seconds = 0, mib = 0, makespan = 0;
};

Run by_simgrid(std::size_t ranks) {
    const Fabric fabric = cluster(ranks);
    const Ways ways(fabric, rated());
    SimulatedCluster run(ways, {NetworkKind::simgrid, 0}, {}, [](std::uint32_t) {});
    const auto begin = std::chrono::steady_clock::now();
    run.run([&] {
        start_all(ranks, [&](std::uint32_t token, RankId from, RankId to, double bytes) {
            run.start_flow(token, Way::cluster, from, to, Bytes(static_cast<std::int64_t>(bytes)));
        });
    });
    return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 0, run.now().value()};
}

Run by_fluid(std::size_t ranks, double tolerance) {
    const Fabric fabric = cluster(ranks);
    std::vector<double> capacity;
    for (const Link& l : fabric.links()) capacity.push_back(l.capacity.value());
    const auto begin = std::chrono::steady_clock::now();
    FluidNetwork network(capacity, tolerance);
    std::vector<FluidNetwork::Link> links;
    start_all(ranks, [&](std::uint32_t token, RankId from, RankId to, double bytes) {
        links.clear();
        const Route route = fabric.route(from, to);
        for (const LinkId l : route.links()) links.push_back(static_cast<FluidNetwork::Link>(l.value()));
        network.start(0, links, bytes, std::numeric_limits<double>::infinity(), token);
    });
    double now = 0;
    std::vector<FluidNetwork::Token> ended;
    for (double next = network.next(); std::isfinite(next); next = network.next()) {
        ended.clear();
        network.advance(now = next, ended);
    }
    return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 0, now};
}

// In a process of its own: SimGrid allows one simulation each, and so its memory can be told.
Run apart(const std::function<Run()>& work) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    std::fflush(stdout);  // the child would print it again
    const pid_t child = ::fork();
    if (child == 0) {
        Run r = work();
        rusage usage = {};
        ::getrusage(RUSAGE_SELF, &usage);
        r.mib = static_cast<double>(usage.ru_maxrss) / 1024;
        const bool written = ::write(ends[1], &r, sizeof r) == sizeof r;
        ::_exit(written ? 0 : 1);
    }
    ::close(ends[1]);
    Run r;
    const bool read = ::read(ends[0], &r, sizeof r) == sizeof r;
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!read || status != 0) throw std::runtime_error("a run failed");
    return r;
}

void print_row(std::size_t ranks, const char* model, const Run& r, double times, double against) {
    fmt::print("  {:>5} ranks  {:>10} messages  {:<22} {:>9.3f} s  {:>7.0f} MiB", ranks, ranks * (ranks - 1), model,
               r.seconds, r.mib);
    if (times > 0) fmt::print("  {:>6.0f}x  makespan {:+.3f}%", times, (r.makespan / against - 1) * 100);
    fmt::print("\n");
    std::fflush(stdout);
}

// Random placements of 256 experts on 64 ranks, each judged by its busiest link.
void judge_placements() {
    constexpr std::size_t ranks = 64, experts = 256, placements = 20'000;
    const Fabric fabric = cluster(ranks);
    RandomStream random(stream_key(2, 2), 0);
    Matrix<double> bytes(ranks, experts);
    std::vector<RankId> home;
    for (std::size_t r = 0; r < ranks; ++r)
        for (std::size_t e = 0; e < experts; ++e) bytes(r, e) = std::floor(1e6 * random.uniform());
    for (std::size_t e = 0; e < experts; ++e) home.emplace_back(e % ranks);
    PlacementLoads loads(fabric, MessageModel(fabric, rated()), bytes);
    const auto begin = std::chrono::steady_clock::now();
    double best = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < placements; ++i) {
        std::swap(home[random.below(experts)], home[random.below(experts)]);
        best = std::min(best, loads.busiest(home).value());
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    fmt::print(
        "busiest links of placements of {} experts on {} ranks: {:.1f} million a minute, one core (best {:.3f} ms)\n",
        experts, ranks, 60 * placements / seconds / 1e6, best * 1e3);
}

void compare() {
    fmt::print("one all-to-all of pairwise different sizes, all at once; ratio and makespan against SimGrid's\n");
    for (const std::size_t ranks : {32U, 64U, 128U}) {
        const Run reference = apart([&] { return by_simgrid(ranks); });
        print_row(ranks, "simgrid (baseline)", reference, 0, 0);
        for (const double tolerance : {0.0, NetworkSpec{}.tolerance}) {
            const Run r = apart([&] { return by_fluid(ranks, tolerance); });
            print_row(ranks, tolerance == 0 ? "fluid, exact" : "fluid, tolerance 0.005", r,
                      reference.seconds / r.seconds, reference.makespan);
        }
    }
    fmt::print("growth\n");
    for (const std::size_t ranks : {64U, 128U, 256U, 512U, 1024U, 2048U, 4096U})
        print_row(ranks, "fluid, tolerance 0.005", apart([&] { return by_fluid(ranks, NetworkSpec{}.tolerance); }), 0,
                  0);
}

}  // namespace

int main() {
    try {
        judge_placements();
        compare();
        return 0;
    } catch (const std::exception& e) {
        fmt::print(stderr, "network_bench: {}\n", e.what());
        return 1;
    }
}
