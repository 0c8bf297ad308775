// Scenarios whose exchanges are a library's calls, against cases written out by hand. All of them: every token goes to
// every GPU, so that all ranks send alike; rows of 500 values.
#include "config/scenario_library.hpp"
#include "support/catch.hpp"
#include "support/collective_profiles.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

Scenario with_library(const TopologySpec& topology, std::int64_t tokens_of_a_rank, Library library,
                      Algorithm algorithm) {
    const std::int64_t gpus = topology.gpus();
    Scenario s = tiny(gpus, gpus * tokens_of_a_rank);
    s.topology = topology;
    s.profile = round_profile();
    s.model.hidden = 500;
    s.model.top_k = gpus;
    s.dispatch.library = library;
    s.dispatch.algorithm = algorithm;
    s.dispatch.multiprocessors = 4;
    s.network.tolerance = 0;
    // Dispatch sums up nothing; combine half as fast as in round_normal().
    auto& normal = *s.profile.collectives.deepep_normal;
    normal.dispatch.reduce_rate = std::nullopt;
    normal.combine.reduce_rate->value = BytesPerSecond(0.05e9);
    return s;
}

// What every rank's dispatch and return take.
void check_stages(const Scenario& s, double dispatch, double return_) {
    const auto document = simulate_document(s);
    for (const char* key : {"mean_s", "slowest_s"}) {
        CHECK(stage_value(document, "dispatch", key) == is(dispatch));
        CHECK(stage_value(document, "return", key) == is(return_));
    }
}

void check_bounds(Scenario s, double dispatch, double return_) {
    s.network.model = NetworkKind::bound;
    check_stages(s, dispatch, return_);
}

}  // namespace

TEST_CASE("an exchange by NCCL") {
    // Two tokens a rank, rows of 1000 B: 2000 B to the other rank, 2000 B stay. b = 4000 B:
    //   call 5 + 1 log2 2 + 10 min(4000 / 2000, 1) = 16 us, message min(2000 B / 1 GB/s, 4) = 2 us
    //   copies: 2000 + 2000 / 2 = 3000 B at 1 GB/s = 3 us; the NVLink, also 1 GB/s, carries 2000 B
    for (const Algorithm a : {Algorithm::direct, Algorithm::pairwise}) {
        const Scenario s = with_library(one_switch(2), 2, Library::nccl, a);
        check_stages(s, 21e-6, 21e-6);
        // The message alone: 16 + 2 + 2 us.
        check_bounds(s, 20e-6, 20e-6);
    }
}

TEST_CASE("an exchange by NCCL in two levels") {
    // Two nodes of two, NICs at 1 GB/s; one token a rank, its row of 1000 B to each of four. b = 4000 B in both steps:
    // inside 2000 B go and 2000 stay, then 2000 B of both go on and 2000 stay. Each step is a call of two ranks:
    //   16 us + 2 us + 3 us = 21 us as above, and the copies into pieces, 2 * 2000 B at 1 TB/s = 4 ns a step.
    // A step's own part starts 4 ns before its message, so that it has half of the copies for 2 us - 4 ns once the
    // message starts, which then needs 1 us more for its last 1000 B and 2 ns: 3 us - 2 ns.
    Scenario s = with_library(small_tree(2, 2), 1, Library::nccl, Algorithm::hierarchical);
    s.topology.nic.bandwidth = BytesPerSecond(1e9);
    s.topology.uplink.bandwidth = BytesPerSecond(2e9);
    const auto document = simulate_document(s);
    CHECK(stage_value(document, "dispatch", "mean_s") == Approx(42e-6).epsilon(3e-4));
    CHECK(stage_value(document, "return", "mean_s") == Approx(42e-6).epsilon(3e-4));
}

TEST_CASE("an exchange by DeepEP's normal kernels inside a node") {
    // Four multiprocessors, eight tokens a rank: 16 rows of 1000 B, half of which stay. As collective_law_test.cpp has
    // it, the call starts up in 15 us and copies 800 MB/s: 16,000 B in 20 us. Sums of 8000 B by four at 0.05 GB/s: 40.
    for (const Dedup dedup : {Dedup::rank, Dedup::node}) {
        Scenario s = with_library(one_switch(2), 8, Library::deepep, Algorithm::direct);
        s.dispatch.dedup = dedup;
        check_stages(s, 35e-6, 55e-6);
        check_bounds(s, 35e-6, 55e-6);
    }
}

TEST_CASE("an exchange by DeepEP's normal kernels across nodes") {
    // Two nodes of two, eight tokens a rank: 16 (token, node) rows, half of them of the own node. 17 us before:
    //   NIC: 8000 B at 0.4 GB/s = 20 us, which the 1 GB/s of the cluster's would do in 8
    //   copies: 16,000 B at 2 GB/s = 8 us
    //   NVLink: 8000 B of a rank's own tokens and 8000 B that it forwards as they come: at 1 GB/s 16 us
    Scenario s = with_library(small_tree(2, 2), 8, Library::deepep, Algorithm::rail);
    s.dispatch.dedup = Dedup::node;
    s.topology.nic.bandwidth = BytesPerSecond(1e9);
    s.topology.uplink.bandwidth = BytesPerSecond(2e9);
    CHECK(groups_span_nodes(s));
    check_stages(s, 37e-6, 57e-6);
    check_bounds(s, 37e-6, 57e-6);
    const auto document = simulate_document(s);
    double nic = 0;
    for (const auto& link : document["links"])
        if (link["link"] == "gpu3.dispatch.nic.in") {
            nic = link["bytes"].get<double>();
            CHECK(link["class"] == "library");
            CHECK(link["usable_bytes_per_s"].get<double>() == is(0.4e9));
        }
    CHECK(nic == 8000);
    CHECK(document["traffic"]["dispatch_bytes"] == 4 * 24'000);
}

TEST_CASE("an exchange by DeepEP's low-latency kernels") {
    // Eight tokens a rank, two experts: copies at 2 * 0.1 GB/s. Rows of 1016 B with their header, 1000 B back.
    //   5 + 2 * 0.5 + 1.016 us, then 16 * 1016 B at 0.2 GB/s = 81.28 us; back 7 + 80 us
    Scenario s = with_library(one_switch(2), 8, Library::deepep, Algorithm::low_latency);
    s.dispatch.dedup = Dedup::none;
    check_stages(s, 88.296e-6, 87e-6);
    check_bounds(s, 88.296e-6, 87e-6);
}

TEST_CASE("a call does not take the ports from other traffic, nor the profile's efficiency of links") {
    // One node of four, two by two: pairs sum up what experts made over NVLink, at half of its rate, as the profile has
    // it, while calls of NCCL get all of it. Two tokens a data index: 21 us as with two GPUs.
    Scenario s = with_library(one_switch(4), 1, Library::nccl, Algorithm::direct);
    s.parallelism = {2, 2, 2};
    s.model.experts = s.model.top_k = 2;
    s.model.expert_ffn = 64;
    s.profile.nvlink.efficiency.value = 0.5;
    const auto with = simulate_document(s);
    CHECK(stage_value(with, "dispatch", "mean_s") == is(21e-6));
    // A pair sums up the 4 rows of 1000 B of a rank's experts in two steps of half of them each, in which every rank
    // sends 4000 B in all, at 0.5 GB/s: 8 us.
    CHECK(with["traffic"]["tensor_parallel_bytes"] == 4 * 4000);
    const double experts = stage_value(with, "expert", "critical_path_s");
    s.profile.nvlink.efficiency.value = 1;
    CHECK(experts - stage_value(simulate_document(s), "expert", "critical_path_s") == Approx(4e-6).epsilon(1e-6));
}

TEST_CASE("expert groups of one rank call nothing") {
    Scenario s = with_library(one_switch(2), 2, Library::nccl, Algorithm::direct);
    s.parallelism.expert = 1;
    const auto document = simulate_document(s);
    CHECK(stage_value(document, "dispatch", "slowest_s") == 0);
    CHECK(document["links"].empty());
}
