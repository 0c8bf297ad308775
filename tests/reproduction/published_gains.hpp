#pragma once
// What papers say that placements of experts gain, and what moesim makes of it in the scenarios of scenarios/placement.
//
// MoETuner (Go and Mahajan, arXiv 2502.06643): end to end, Mixtral-8x7B under Megatron-LM, against contiguous blocks of
// experts. ExFlow (Yao et al., arXiv 2401.08383, IPDPS 2024): GPT models of 8 to 64 experts, against DeepSpeed-MoE.
// Placements are learned from tokens that come before those that are judged.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/scenario.hpp"

namespace moesim::test {

// Parts, 0.093 being 9.3%.
namespace published {
// MoETuner, section 5.3.1 and figure 9: speedup of a batch.
inline constexpr double one_node = 0.093, two_nodes = 0.175;
// Section 5.3.2 and figure 11, 5.3.3 and figure 13: less time of a layer's slowest GPU in its experts, and in
// all-to-alls. [one node, two nodes]
inline constexpr std::array<double, 2> less_expert_tail = {0.36, 0.27}, less_network_tail = {0.363, 0.305};
// ExFlow, abstract: "up to", of the time of routing between GPUs.
inline constexpr double less_routing = 0.67;
// ExFlow's placements of Mixtral, by first choices (YJHMITWEB/ExFlow@039b86e, the names of the files in solutions/):
// crossings of 31 pairs of layers on four GPUs and on eight.
inline constexpr double mixtral_crossings_4 = 17.495347692691237, mixtral_crossings_8 = 22.166013704896926;
}  // namespace published

// A file of scenarios/placement, or with a folder one of scenarios.
Scenario shipped(const std::string& name);
// The same over another synthetic routing.
Scenario routed(Scenario scenario, double zipf, double affinity);

struct JudgeOptions {
    double seconds = 2;            // that a method may search; integer programs stop there with what they have
    std::int64_t tokens = 65'536;  // learned from
};

// One batch under one placement. Seconds; rows count copies of a token's activations, a token and layer.
struct JudgedRun {
    double makespan = 0;
    double expert = 0;  // mean over GPUs: what all have to compute, evenly dealt out
    double attention_path = 0, expert_path = 0, network_path = 0;  // on the critical path; network: dispatch and return
    double rows = 0, nic_rows = 0;  // that leave their GPU, and those that pass a NIC, there and back
    double imbalance = 0;           // max/mean load of GPUs, mean over layers
    double crossing = 0;  // of the tokens learned from: share of first choices of adjacent layers on other GPUs
};

// Under the placement of each method (planner_methods()). "moetuner_uneven" has the slots that any sizes of clusters
// take, the others no copies.  [method]
std::vector<JudgedRun> judge(const Scenario& scenario, const std::vector<std::string>& methods,
                             const JudgeOptions& options);

// 0.1: 1.1 times as fast.
double speedup(const JudgedRun& before, const JudgedRun& after);
// What no placement exceeds, by the critical path (Amdahl): experts evenly dealt out, and traffic that takes no time.
double most_speedup(const JudgedRun& before);
// The same with dispatch and return as they were: what experts evenly dealt out give by themselves. Even loads also
// make even messages, so that a placement can gain more.
double by_even_experts(const JudgedRun& before);
// The part of a batch that experts and all-to-alls can be, if cutting `tail` of them makes it `speedup` faster.
double implied_part(double speedup, double tail);

// ExFlow against its baseline: the scenario, which has one all-to-all a layer, under some method's placement, and the
// same with two under the contiguous one.
struct CoherentGain {
    JudgedRun baseline, contiguous, placed;
    [[nodiscard]] double less_rows() const { return 1 - placed.rows / baseline.rows; }
    [[nodiscard]] double less_network() const { return 1 - placed.network_path / baseline.network_path; }
    // By placement alone, of what crosses with one all-to-all.
    [[nodiscard]] double less_by_placement() const { return 1 - placed.rows / contiguous.rows; }
    // Of the whole pass, as it is, and if the newest keys and values of all layers came for free.
    [[nodiscard]] double end_to_end() const { return speedup(baseline, placed); }
    [[nodiscard]] double end_to_end_without_gather() const;
};
CoherentGain judge_coherent(const Scenario& scenario, const std::string& method, const JudgeOptions& options);

// max/mean load of four GPUs with experts in contiguous blocks, over loads of Mixtral that were recorded, one a layer
// and kind of text (allenai/OLMoE@357454f, in ../shared/data); empty where they are not there.
std::vector<double> recorded_mixtral_imbalance();

void print_published_gains();

}  // namespace moesim::test
