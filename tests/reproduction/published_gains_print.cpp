// The part of print.cpp about published gains.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "reproduction/published_gains.hpp"

namespace moesim::test {
namespace {

constexpr double searched = 2;  // s, of a method

std::string percent(double part) { return fmt::format("{:+.1f}%", 100 * part); }

// The first value at or above the published one is marked.
std::string marked(double value, double goal, bool& reached) {
    const bool first = !reached && value >= goal;
    reached = reached || first;
    return percent(value) + (first ? "*" : " ");
}

void print_skew(const std::string& name, double goal) {
    const Scenario s = shipped(name);
    fmt::print(
        "\n{}: end-to-end speedup over contiguous blocks, published {}\n"
        "  even, uneven: MoETuner's clusters; search: moesim's, as even\n"
        "  even experts: if they were evenly dealt out, and dispatch and return as they were; at most: and those took "
        "no "
        "time\n"
        "  *: the first to reach what is published; the scenario has Zipf 0.25 (recorded loads) and affinity 0.25\n\n"
        "  Zipf  max/mean  (even, uneven)      even    uneven    search   even experts, at most of the path: experts, "
        "network\n",
        s.name, percent(goal));
    bool even = false, uneven = false, search = false;
    for (const double zipf : {0.0, 0.25, 0.4, 0.5, 0.75, 1.0, 1.5}) {
        const auto r =
            judge(routed(s, zipf, 0.25), {"contiguous", "moetuner", "moetuner_uneven", "search"}, {searched});
        fmt::print("  {:4}  {:8.3f}  ({:.3f}, {:.3f})   {:>8}  {:>8}  {:>8}   {:>7}, {:>7}   {:.1f}%, {:.1f}%\n", zipf,
                   r[0].imbalance, r[1].imbalance, r[2].imbalance, marked(speedup(r[0], r[1]), goal, even),
                   marked(speedup(r[0], r[2]), goal, uneven), marked(speedup(r[0], r[3]), goal, search),
                   percent(by_even_experts(r[0])), percent(most_speedup(r[0])), 100 * r[0].expert_path / r[0].makespan,
                   100 * r[0].network_path / r[0].makespan);
        std::fflush(stdout);
    }
}

void print_affinity(const std::string& name) {
    const Scenario s = shipped(name);
    fmt::print(
        "\n{}: what affinity between layers gives (Zipf 0.5)\n"
        "  contiguous -> MoETuner's uneven clusters, `affinity`; crossing: of first choices of adjacent layers; rows: "
        "copies of a token a layer that leave a GPU, there and back, and those that pass a NIC\n\n"
        "  affinity   speedup             crossing                   rows                       by NIC\n",
        s.name);
    for (const double affinity : {0.0, 0.25, 0.5, 0.75, 1.0}) {
        const auto r = judge(routed(s, 0.5, affinity), {"contiguous", "moetuner_uneven", "affinity"}, {searched});
        const auto three = [&](double JudgedRun::*figure) {
            return fmt::format("{:.3f} -> {:.3f}, {:.3f}", r[0].*figure, r[1].*figure, r[2].*figure);
        };
        fmt::print("  {:8}  {:>8}, {:>8}   {:24}   {:24}   {}\n", affinity, percent(speedup(r[0], r[1])),
                   percent(speedup(r[0], r[2])), three(&JudgedRun::crossing), three(&JudgedRun::rows),
                   three(&JudgedRun::nic_rows));
        std::fflush(stdout);
    }
}

void print_set_ups() {
    fmt::print("\nThe same (uneven clusters, Zipf 0.25 and 0.5), with what the paper leaves open varied\n\n");
    const auto row = [](const std::string& what, const Scenario& s) {
        fmt::print("  {:44}", what);
        for (const double zipf : {0.25, 0.5}) {
            const auto r = judge(routed(s, zipf, 0.25), {"contiguous", "moetuner_uneven"}, {searched});
            fmt::print("  {:>7}", percent(speedup(r[0], r[1])));
        }
        fmt::print("\n");
        std::fflush(stdout);
    };
    for (const std::int64_t sequences : {4, 8, 32}) {
        Scenario s = shipped("moetuner-mixtral-1-node.json");
        s.batch.sequences = sequences;
        row(fmt::format("one node, {} prompts of 2048", sequences), s);
    }
    for (const double gbit : {100.0, 400.0, 800.0}) {
        Scenario s = shipped("moetuner-mixtral-2-nodes.json");
        s.topology.nic.bandwidth = BytesPerSecond(gbit * 1e9 / 8);  // one leaf: no uplink to derive
        row(fmt::format("two nodes, NICs of {} Gbit/s a GPU", gbit), s);
    }
}

void print_causes() {
    fmt::print("\nWhat the published parts of MoETuner's gain imply of its end-to-end time\n");
    const std::array<double, 2> goals = {published::one_node, published::two_nodes};
    for (std::size_t i = 0; i < 2; ++i) {
        const double tail = std::min(published::less_expert_tail[i], published::less_network_tail[i]);
        fmt::print(
            "  {}: {} end to end with {:.1f}% and {:.1f}% off the tails of experts and all-to-alls: these are at most "
            "{:.0f}% of it\n",
            i == 0 ? "one node" : "two nodes", percent(goals[i]), 100 * published::less_expert_tail[i],
            100 * published::less_network_tail[i], 100 * implied_part(goals[i], tail));
    }
    const auto recorded = recorded_mixtral_imbalance();
    if (recorded.empty()) return;
    const auto [least, most] = std::minmax_element(recorded.begin(), recorded.end());
    fmt::print(
        "  recorded loads of Mixtral, experts in contiguous blocks on four GPUs: max/mean {:.3f} to {:.3f}, mean "
        "{:.3f}\n"
        "    perfect balance takes at most {:.1f}% off such a tail, {:.1f}% on average; 36% off needs max/mean "
        "{:.2f}\n",
        *least, *most, std::accumulate(recorded.begin(), recorded.end(), 0.0) / static_cast<double>(recorded.size()),
        100 * (1 - 1 / *most),
        100 * (1 - static_cast<double>(recorded.size()) / std::accumulate(recorded.begin(), recorded.end(), 0.0)),
        1 / (1 - published::less_expert_tail[0]));
}

void print_coherent_row(const std::string& label, const Scenario& s, const std::string& method, bool& reached) {
    const CoherentGain g = judge_coherent(s, method, {4});
    fmt::print("  {:>12}   {:.3f} -> {:.3f} -> {:.3f}   {:>8}   {:>8}  {:>8}   {:>8}  {:>8}\n", label, g.baseline.rows,
               g.contiguous.rows, g.placed.rows, percent(-g.less_by_placement()),
               percent(-g.less_rows()) + (!reached && g.less_rows() >= published::less_routing ? "*" : " "),
               percent(-g.less_network()), percent(g.end_to_end()), percent(g.end_to_end_without_gather()));
    reached = reached || g.less_rows() >= published::less_routing;
    std::fflush(stdout);
}

void print_coherent(const std::string& name, const std::vector<double>& affinities) {
    const Scenario s = shipped(name);
    fmt::print(
        "\n{}: against two all-to-alls a layer and contiguous blocks, published up to -67%\n"
        "  rows: copies of a token a layer that leave a GPU: two all-to-alls -> one -> one with ExFlow's placement; "
        "network: dispatch and return on the critical path\n"
        "  speedup: of the pass; free: if keys and values of new tokens came to all GPUs for free\n\n"
        "      affinity   rows                      placement       rows   network    speedup      free\n",
        s.name);
    bool reached = false;
    for (const double affinity : affinities) {
        Scenario other = s;
        other.routing.affinity = affinity;
        print_coherent_row(fmt::format("{}{}", affinity, affinity == s.routing.affinity ? " (shipped)" : ""), other,
                           "exflow", reached);
    }
}

// The one decoding trace that was learned from, as if it were run ExFlow's way.
void print_recorded_coherent() {
    Scenario s = shipped("routing/gpt-oss-20b-decode-8-h100.json");
    s.dispatch.algorithm = Algorithm::context_coherent;
    s.batch.sequences = 512;  // every GPU holds the keys and values of all
    fmt::print("\n{}, 64 sequences a GPU, ExFlow's way: the columns of above\n", s.name);
    bool reached = false;
    for (const char* method : {"exflow", "coherent_destinations"}) print_coherent_row(method, s, method, reached);
}

}  // namespace

void print_published_gains() {
    fmt::print("\nPublished gains of placements; learned from tokens before those that are judged\n");
    print_skew("moetuner-mixtral-1-node.json", published::one_node);
    print_skew("moetuner-mixtral-2-nodes.json", published::two_nodes);
    print_affinity("moetuner-mixtral-1-node.json");
    print_affinity("moetuner-mixtral-2-nodes.json");
    print_set_ups();
    print_causes();
    print_coherent("exflow-64-experts-16-a100.json", {0, 0.18, 0.3, 0.34, 0.4, 0.5, 0.7, 0.9});
    print_coherent("exflow-mixtral-8-a100.json", {0, 0.18, 0.25, 0.5, 0.75, 0.9});
    print_recorded_coherent();
}

}  // namespace moesim::test
