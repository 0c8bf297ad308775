// Scenarios whose exchanges are the timed calls: the simulation has to say what calibrate/uniform_call says of them,
// but for the noise of drawn routings.
#include <fstream>

#include "calibrate/uniform_call.hpp"
#include "reproduction/measured.hpp"
#include "support/catch.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

Profile shipped(const std::string& name) {
    const std::string file = std::string(MOESIM_SOURCE_DIR) + "/topologies/profiles/" + name + ".json";
    std::ifstream in(file);
    return parse_profile(nlohmann::json::parse(in), file);
}

// H100 in nodes of eight, as far as that goes, under one leaf.
TopologySpec cluster(std::int64_t gpus) {
    TopologySpec t = one_switch(std::min<std::int64_t>(gpus, 8));
    t.nvlink.bandwidth = BytesPerSecond(450e9);
    t.nodes = t.nodes_per_leaf = (gpus + 7) / 8;
    if (t.nodes == 1) return t;
    t.kind = TopologyKind::fat_tree;
    t.nic.bandwidth = BytesPerSecond(50e9);
    return t;
}

// One layer whose experts take next to nothing.
Scenario one_layer(const Profile& profile, std::int64_t gpus, std::int64_t tokens_of_a_rank, std::int64_t hidden) {
    Scenario s = tiny(gpus, tokens_of_a_rank * gpus);
    s.topology = cluster(gpus);
    s.profile = profile;
    s.model.hidden = hidden;
    s.model.expert_ffn = 8;
    s.model.expert_kernel = roofline_kernel;  // fitted ones differ by some microseconds between ranks
    return s;
}

Scenario scenario_of(const Profile& profile, const DeepEpCall& c, bool low_latency) {
    Scenario s = one_layer(profile, c.ranks(), c.tokens, c.hidden);
    s.model.experts = c.experts;
    s.model.top_k = c.top_k;
    s.dispatch.library = Library::deepep;
    s.dispatch.algorithm = low_latency ? Algorithm::low_latency : Algorithm::rail;
    s.dispatch.dedup = low_latency ? Dedup::none : Dedup::node;
    s.dispatch.dtype = Dtype::fp8;
    if (!low_latency) s.dispatch.multiprocessors = static_cast<std::int64_t>(c.multiprocessors);
    return s;
}

// Every `step`-th call that `takes` takes.
template <class Calls, class Takes>
Calls some(const Calls& calls, std::size_t step, Takes takes) {
    Calls taken;
    std::size_t seen = 0;
    for (const auto& c : calls)
        if (takes(c) && seen++ % step == 0) taken.push_back(c);
    return taken;
}

std::vector<DeepEpCall> of_h100(const std::vector<DeepEpCall>& calls, std::size_t step, std::int64_t nodes) {
    // Fewer tokens make the call that of the rank with the most of them, where the law has the mean.
    return some(calls, step, [&](const DeepEpCall& c) {
        return c.machine == "h100_sxm" && (c.version == "sglang-0.5.12" || nodes > 1) && c.nodes == nodes &&
               c.tokens >= 64 && c.tokens <= 4096;
    });
}

void check(const std::vector<DeepEpCall>& calls, bool low_latency, double margin) {
    const Profile profile = shipped("h100-sxm");
    for (const DeepEpCall& c : calls) {
        const double law = (low_latency ? predict_deepep_low_latency : predict_deepep_normal)(profile, c).value();
        const double simulated = stage_value(simulate_document(scenario_of(profile, c, low_latency)),
                                             c.combine ? "return" : "dispatch", "mean_s");
        INFO(c.nodes << " nodes, hidden " << c.hidden << ", " << c.tokens << " tokens, " << c.multiprocessors
                     << " multiprocessors, combine " << c.combine << ": " << simulated * 1e6 << " us for "
                     << law * 1e6);
        CHECK(std::abs(simulated / law - 1) < margin);
    }
}

}  // namespace

TEST_CASE("scenarios take what NCCL's law says", "[reproduction]") {
    const auto calls = some(read_nccl(measured_calls()), 3, [](const NcclCall& c) {
        const bool machine = c.system == "h100_sxm" || c.system == "a100_sxm";
        return machine && c.bytes >= Bytes(8192) && c.bytes <= Bytes(16 << 20);
    });
    if (calls.empty()) WARN("skipped: " << measured_calls() << " is not there");
    for (const NcclCall& c : calls) {
        const Profile profile = shipped(c.system == "h100_sxm" ? "h100-sxm" : "a100-sxm");
        const auto n = static_cast<std::int64_t>(c.ranks);
        // Every token to every rank, in rows of 512 B.
        Scenario s = one_layer(profile, n, c.bytes.value() / n / 512, 256);
        s.model.top_k = n;
        s.dispatch.library = Library::nccl;
        s.dispatch.algorithm = Algorithm::pairwise;
        const auto document = simulate_document(s);
        const double law = predict_nccl(profile, c).value();
        INFO(c.system << ", " << n << " GPUs, " << c.bytes.value() << " B");
        for (const char* stage : {"dispatch", "return"})
            CHECK(stage_value(document, stage, "mean_s") == Approx(law).epsilon(0.005));
    }
}

TEST_CASE("scenarios take what the law of DeepEP's normal kernels says", "[reproduction]") {
    const auto calls = read_deepep_normal(measured_calls());
    if (calls.empty()) WARN("skipped: " << measured_calls() << " is not there");
    check(of_h100(calls, 97, 1), false, 0.05);
    check(of_h100(calls, 17, 2), false, 0.05);
}

TEST_CASE("scenarios take what the law of DeepEP's low-latency kernels says", "[reproduction]") {
    const auto calls = read_deepep_low_latency(measured_calls());
    if (calls.empty()) WARN("skipped: " << measured_calls() << " is not there");
    check(of_h100(calls, 3, 1), true, 0.05);
    check(of_h100(calls, 2, 2), true, 0.05);
}
