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
#include <fstream>
#include <functional>
#include <stdexcept>
#include <vector>

#include "workload/hash_policy.hpp"
#include "workload/popularity.hpp"
#include "workload/softmax_topk_policy.hpp"

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

void routing(std::int64_t experts, std::size_t top_k) {
    constexpr std::int64_t tokens = 400'000;
    ModelSpec model;
    model.moe_layers = 1;
    model.experts = experts;
    const auto popularity = layer_popularities(ZipfSpec{1.0}, model, 1);
    const SoftmaxTopkPolicy softmax(popularity, top_k, 1);
    const HashPolicy hash(static_cast<std::size_t>(experts), top_k, 1);
    const std::size_t n = static_cast<std::size_t>(tokens) * top_k;
    const auto of = [&](const RoutingPolicy& p) {
        return rate([&](auto& out) { p.route(LayerId(0), {0, tokens}, out); }, n);
    };
    const std::int64_t fewer = tokens / 10;  // the plain way is slow, and its rate does not depend on the count
    const double plain = rate([&](auto& out) { route_plainly(popularity, fewer, top_k, out); }, n / 10);
    fmt::print(
        "  Zipf 1.0 top-{} of {:<3}   softmax_topk {:7.1f} M/s   hash {:7.1f} M/s   one logit an expert, partial "
        "sort {:6.2f} M/s   ratio {:.0f}x\n",
        top_k, experts, of(softmax) / 1e6, of(hash) / 1e6, plain / 1e6, of(softmax) / plain);
}

}  // namespace

int main() {
    const std::string source = MOESIM_SOURCE_DIR;
    const std::string main_scenario = source + "/scenarios/main/top2-64-experts-32-h100.json";
    const std::string layer = source + "/tests/bench/one-layer-16-gpus.json";
    fmt::print("routing, one core, token x k assignments a second\n");
    routing(64, 2);
    routing(256, 8);
    const Usage whole = best_of(3, [&] { return run_program({"run", main_scenario}); });
    fmt::print(
        "\nmain scenario (1,280,000 tokens, 4 layers, 32 GPUs), end to end\n  {:.2f} s wall, {:.2f} s CPU, {:.0f} "
        "MiB\n",
        whole.wall_s, whole.cpu_s, whole.peak_mib);
    const Usage help = best_of(20, [] { return run_program({"--version"}); });
    const Usage small = best_of(20, [&] { return run_program({"run", layer, "--json"}); });
    fmt::print("\none layer on 16 GPUs, end to end\n  {:.1f} ms CPU, of which start-up {:.1f} ms (moesim --version)\n",
               small.cpu_s * 1e3, help.cpu_s * 1e3);
}
