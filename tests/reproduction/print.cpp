// Prints how far moesim reproduces what others measured; the tests in this folder check the same figures.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "reproduction/capacity_sweep.hpp"
#include "reproduction/collective_calls.hpp"
#include "reproduction/placement_table.hpp"
#include "reproduction/published_gains.hpp"
#include "reproduction/strategy_table.hpp"
#include "reproduction/two_level.hpp"

namespace {

using namespace moesim::test;

void print_sweep() {
    fmt::print(
        "Drop rates of {} tokens with independent, alike logits\n"
        "  expected: binomial overflow. gumbel, normal: the noise; means of 512 / 128 / 32 and of 16 / 4 / 1 routings "
        "for "
        "top-1 / 2 / 4\n\n"
        "experts  k    CF  measured  expected    gumbel    normal   gumbel-measured  normal-measured\n",
        sweep_tokens);
    const auto gumbel = sweep(SweepNoise::gumbel, 512), normal = sweep(SweepNoise::normal, 16);
    const auto measured = measured_capacity_sweep();
    double worst_gumbel = 0, worst_normal = 0, worst_expected = 0;
    for (std::size_t i = 0; i < gumbel.size(); ++i) {
        const SweepCell& c = gumbel[i];
        const double expected = expected_drop(sweep_tokens, c.experts, c.top_k, c.capacity_factor).mean;
        fmt::print("{:7} {:2} {:5}", c.experts, c.top_k, c.capacity_factor);
        const auto m = std::find_if(measured.begin(), measured.end(), [&](const MeasuredDrop& d) {
            return d.experts == c.experts && d.top_k == c.top_k && d.capacity_factor == c.capacity_factor;
        });
        fmt::print("  {:>8}", m == measured.end() ? "-" : fmt::format("{:.5f}", m->drop_rate));
        fmt::print("  {:8.5f}  {:8.5f}  {:8.5f}", expected, c.drop_rate, normal[i].drop_rate);
        worst_expected = std::max(worst_expected, std::abs(c.drop_rate - expected));
        if (m != measured.end()) {
            const double g = c.drop_rate - m->drop_rate, n = normal[i].drop_rate - m->drop_rate;
            fmt::print("          {:+.5f}         {:+.5f}", g, n);
            worst_gumbel = std::max(worst_gumbel, std::abs(g));
            worst_normal = std::max(worst_normal, std::abs(n));
        }
        fmt::print("\n");
    }
    fmt::print("largest difference: gumbel-expected {:.5f}", worst_expected);
    if (!measured.empty()) fmt::print(", gumbel-measured {:.5f}, normal-measured {:.5f}", worst_gumbel, worst_normal);
    fmt::print("\n");
}

void print_strategies() {
    const auto runs = measured_runs();
    fmt::print(
        "\nDrop rate and CV of the kept load of training runs, one skew for each strategy\n"
        "  The skew is fitted to the drop rate at one capacity factor (\"fit at\"); other factors are predictions "
        "(*).\n\n"
        "experts  strategy         CF  fit at   skew   drop measured    ours    error   CV measured    ours    "
        "error\n");
    for (const Reproduced& r : reproduce(runs))
        fmt::print(
            "{:7}  {:<13} {:5}  {:5}{}  {:5.3f}          {:.4f}  {:.4f}  {:+.4f}        {:.4f}  {:.4f}  {:+.4f}\n",
            r.measured.experts, r.measured.strategy, r.measured.capacity_factor, r.fitted_at,
            r.is_prediction() ? '*' : ' ', r.skew, r.measured.drop_rate, r.ours.drop_rate, r.drop_error(),
            r.measured.load_cv, r.ours.load_cv, r.cv_error());
}

void print_errors(const char* what, const std::string& shares, const std::vector<PredictedCall>& calls) {
    if (calls.empty()) return;
    const Errors e = errors_of(calls);
    fmt::print("  {:8} {:34} {:5} calls  median {:5.1f}%  p90 {:5.1f}%  worst {:5.1f}%  mean {:+5.1f}%\n", what, shares,
               calls.size(), 100 * e.median, 100 * e.p90, 100 * e.worst, 100 * e.mean);
}

void print_calls(const CollectiveGroup& g) {
    fmt::print("\n{} ({})\n  predicted us   measured us    error\n", g.name, g.machine);
    for (const PredictedCall& c : g.calls)
        fmt::print("  {:12.2f}  {:12.2f}  {:+6.1f}%  {} {}\n", 1e6 * c.predicted, 1e6 * c.measured, 100 * c.error(),
                   c.fitted ? "fitted  " : "held out", c.call);
}

void print_collectives() {
    const auto groups = reproduce_collectives();
    if (groups.empty()) return;
    fmt::print("\nTimed calls of communication libraries; one profile for each machine\n");
    for (const CollectiveGroup& g : groups) print_calls(g);
    fmt::print("\nErrors; a call's measured time is the median of its readings\n");
    for (const CollectiveGroup& g : groups) {
        fmt::print("{} ({}, {} readings)\n", g.name, g.machine, g.readings);
        print_errors("fitted", g.fitted_to, g.fitted());
        print_errors("held out", g.held_out, g.held());
        if (const auto rest = g.uncontradicted_held(); rest.size() < g.held().size())
            print_errors("held out", fmt::format("{}, no contradicted ones", g.held_out), rest);
        if (!g.large_held().empty()) print_errors("held out", g.held_out + ", 1 MiB and more", g.large_held());
    }
}

void print_two_level() {
    fmt::print(
        "\nTwo levels against pairs: ms of one all-to-all between H100, even traffic, 8 messages of a GPU at once\n"
        "  columns: what each GPU sends in all; pairwise / hierarchical = speed-up of two levels\n"
        "  up to {} GPUs simulated flow by flow, above by the closed form (*)\n\n GPUs ",
        most_simulated);
    constexpr std::array<std::int64_t, 5> sizes = {64 << 10, 1 << 20, 4 << 20, 16 << 20, 256 << 20};
    for (const std::int64_t bytes : sizes) fmt::print("{:>27}", fmt::format("{} KiB", bytes >> 10));
    fmt::print("\n");
    for (const std::size_t gpus : {16U, 32U, 64U, 128U, 256U, 512U, 1024U}) {
        fmt::print("{:5}{}", gpus, gpus > most_simulated ? '*' : ' ');
        for (const std::int64_t bytes : sizes) {
            std::fflush(stdout);  // a simulation runs in a copy of this process
            const TwoLevel t = compare_levels(gpus, bytes, gpus <= most_simulated);
            fmt::print("{:9.3f} /{:8.3f} ={:5.2f}x", t.pairwise * 1e3, t.hierarchical * 1e3, t.speedup());
        }
        fmt::print("\n");
    }
}

}  // namespace

int main() {
    const auto start = std::chrono::steady_clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    print_sweep();
    fmt::print("({:.1f} s)\n", seconds());
    if (measured_runs().empty())
        fmt::print("\n{} is not there: no measured figures\n", measured_tables().string());
    else
        print_strategies();
    print_collectives();
    print_two_level();
    print_placements();
    print_published_gains();
    fmt::print("({:.1f} s in all)\n", seconds());
}
