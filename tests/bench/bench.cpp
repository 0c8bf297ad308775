// Figures that README quotes: what moesim's own speed is on this machine. Prints a table; asserts nothing.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <vector>

#include "base/random.hpp"
#include "workload/policy.hpp"
#include "workload/popularity.hpp"

namespace {

using namespace moesim;

struct Usage {
    double wall_s = 0, cpu_s = 0, peak_mib = 0;
};

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; }

// One run of the program, its stdout thrown away.
Usage run_program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), MOESIM_PROGRAM);
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const auto start = std::chrono::steady_clock::now();
    pid_t child = 0;
    const int failed = posix_spawn(&child, MOESIM_PROGRAM, &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("cannot start " MOESIM_PROGRAM);
    int status = 0;
    rusage usage = {};
    ::wait4(child, &status, 0, &usage);
    if (status != 0) throw std::runtime_error("a run failed");
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    return {wall.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime),
            static_cast<double>(usage.ru_maxrss) / 1024};
}

Usage best_of(int times, const std::function<Usage()>& run) {
    Usage best = run();
    for (int i = 1; i < times; ++i) {
        const Usage u = run();
        best = {std::min(best.wall_s, u.wall_s), std::min(best.cpu_s, u.cpu_s), std::max(best.peak_mib, u.peak_mib)};
    }
    return best;
}

// Assignments (token x k) a second on one core.
double rate(const std::function<void(std::vector<ExpertIndex>&)>& route, std::size_t assignments) {
    std::vector<ExpertIndex> out(assignments);
    double best = 0;
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        route(out);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(assignments) / took.count());
    }
    return best;
}

// The straightforward way: one Gumbel logit an expert, then a partial sort of the ids.
void route_plainly(const Matrix<double>& popularity, std::int64_t tokens, std::size_t top_k,
                   std::vector<ExpertIndex>& out) {
    const std::size_t experts = popularity.cols();
    std::vector<double> logits(experts);
    std::vector<ExpertIndex> ids(experts);
    RandomStream random(1, 1);
    for (std::int64_t t = 0; t < tokens; ++t) {
        for (std::size_t e = 0; e < experts; ++e) {
            ids[e] = static_cast<ExpertIndex>(e);
            logits[e] = std::log(popularity(0, e)) - std::log(-std::log(1 - random.uniform()));
        }
        std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(top_k), ids.end(),
                          [&](auto a, auto b) { return logits[a] > logits[b]; });
        std::copy_n(ids.begin(), top_k, out.begin() + t * static_cast<std::int64_t>(top_k));
    }
}

// As many tokens as a micro-batch may have; the policies that compare tokens do so within it.
constexpr std::int64_t batch_tokens = 16'384;

double routing_rate(const Scenario& s, std::int64_t tokens) {
    const auto policy = make_policy(s);
    Routing out, previous;
    TokenBatch first;
    first.tokens = {0, batch_tokens};
    policy->route(first, previous);
    double best = 0;
    for (int i = 0; i < 3; ++i) {
        const auto start = std::chrono::steady_clock::now();
        for (std::int64_t t = 0; t < tokens; t += batch_tokens) {
            TokenBatch batch;
            batch.layer = LayerId(1);
            batch.tokens = {t, t + batch_tokens};
            batch.previous = &previous;
            policy->route(batch, out);
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        best = std::max(best, static_cast<double>(tokens * s.model.top_k) / took.count());
    }
    return best;
}

void routing(std::int64_t experts, std::int64_t top_k) {
    Scenario s;
    s.model.moe_layers = 2;
    s.model.experts = experts;
    s.model.top_k = top_k;
    s.routing.popularity.base = ZipfSpec{1.0};
    const Popularity popularity(s.routing, s.model, s.parallelism, s.seed);
    const auto row = popularity.common(LayerId(0));
    Matrix<double> p(1, row.size());
    std::copy(row.begin(), row.end(), p.row(0).begin());
    constexpr std::int64_t fewer = 40'000;  // the plain way is slow, and its rate does not depend on the count
    const double plain = rate([&](auto& out) { route_plainly(p, fewer, static_cast<std::size_t>(top_k), out); },
                              static_cast<std::size_t>(fewer * top_k));
    fmt::print("  Zipf 1.0 top-{} of {}\n", top_k, experts);
    fmt::print("    {:<44} {:8.2f} M/s\n", "one logit an expert, partial sort (baseline)", plain / 1e6);
    for (std::size_t i = 0; i < policy_names.size(); ++i) {
        s.routing.policy = static_cast<Policy>(i);
        if (s.routing.policy == Policy::trace || s.routing.policy == Policy::top1) continue;
        s.routing.groups = {2, 1, 8, 4, GroupScore::top2_sum};
        if (s.routing.policy == Policy::group_limited) s.routing.groups.tiers = 1;
        s.routing.nulls = {8, 0.2};
        s.routing.dynamic_k = {0.7, 1, Schedule::uniform};
        s.routing.recurrence = 1;
        s.routing.bias = {0.001, 20, 1024};
        const bool fast = i <= static_cast<std::size_t>(Policy::hash);
        const double r = routing_rate(s, fast ? 30 * batch_tokens : 4 * batch_tokens);
        fmt::print("    {:<44} {:8.2f} M/s   ratio {:.3g}x\n", policy_names[i], r / 1e6, r / plain);
    }
}

void print_all() {
    const std::string source = MOESIM_SOURCE_DIR;
    const std::string main_scenario = source + "/scenarios/main/top2-64-experts-32-h100.json";
    const std::string layer = source + "/tests/bench/one-layer-16-gpus.json";
    fmt::print("routing, one core, token x k assignments a second\n");
    routing(64, 2);
    routing(256, 8);
    const Usage stream = run_program({"workload", "describe", source + "/tests/bench/stream-58-layers.json", "--json"});
    fmt::print(
        "\n1,280,000 tokens x 58 layers x top-8 of 256, routed and described layer by layer\n  {:.1f} s wall, {:.0f} M "
        "assignments/s with gates, loads and transitions, {:.0f} MiB\n",
        stream.wall_s, 1.28e6 * 58 * 8 / stream.wall_s / 1e6, stream.peak_mib);
    const Usage whole = best_of(3, [&] { return run_program({"run", main_scenario}); });
    fmt::print(
        "\nmain scenario (1,280,000 tokens, 4 layers, 32 GPUs), end to end\n  {:.2f} s wall, {:.2f} s CPU, {:.0f} "
        "MiB\n",
        whole.wall_s, whole.cpu_s, whole.peak_mib);
    const Usage help = best_of(20, [] { return run_program({"--version"}); });
    const Usage small = best_of(20, [&] { return run_program({"run", layer, "--json"}); });
    fmt::print("\none layer on 16 GPUs, end to end\n  {:.1f} ms CPU, of which start-up {:.1f} ms (moesim --version)\n",
               small.cpu_s * 1e3, help.cpu_s * 1e3);
    const Usage large = run_program({"run", source + "/tests/bench/one-layer-2048-gpus.json"});
    fmt::print("\none layer on 2,048 GPUs that all exchange with each other, end to end\n  {:.1f} s wall, {:.0f} MiB\n",
               large.wall_s, large.peak_mib);
}

}  // namespace

int main() {
    try {
        print_all();
    } catch (const std::exception& e) {
        std::fprintf(stderr, "moesim_bench: %s\n", e.what());
        return 1;
    }
}
