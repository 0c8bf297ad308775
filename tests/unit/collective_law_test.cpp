// The laws of whole calls against cases written out by hand.
#include "calibrate/uniform_call.hpp"
#include "network/busiest_link.hpp"
#include "network/deepep_low_latency_law.hpp"
#include "network/deepep_normal_law.hpp"
#include "network/nccl_law.hpp"
#include "support/catch.hpp"
#include "support/collective_profiles.hpp"
#include "support/graphs.hpp"
#include "support/in_child.hpp"
#include "support/program.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

std::vector<std::string> names(const Fabric& fabric, std::size_t from, std::size_t to) {
    std::vector<std::string> all;
    const Route route = fabric.route(RankId(from), RankId(to));
    for (const LinkId link : route.links()) all.push_back(fabric.link(link).name);
    return all;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a NCCL all-to-all by hand") {
    // start_up 5 us, 1 us a doubling, short messages at 1 GB/s up to 4 us, fill 10 us by 2000 B, 1 GB/s,
    // own bytes cost half. Four ranks of 4000 B: messages of 1000 B.
    //   before the bytes: 5 + 1 log2 4 + 10 min(4000 / 2000, 1) = 5 + 2 + 10 = 17 us; with 500 B: 5 + 2 + 2.5 = 9.5 us
    //   each message:     min(1000 B / 1 GB/s, 4 us) = 1 us
    //   each GPU's copies: 3 * 1000 + 1000 / 2 = 3500 B at 1 GB/s = 3.5 us
    const NcclProfile p = round_nccl();
    CHECK(nccl_start_up(p, 4, Bytes(4000)).value() == is(17e-6));
    CHECK(nccl_start_up(p, 4, Bytes(500)).value() == is(9.5e-6));
    CHECK(nccl_message_start_up(p, Bytes(1000)).value() == is(1e-6));
    CHECK(nccl_message_start_up(p, Bytes(1'000'000)).value() == is(4e-6));
    CHECK(nccl_own_on_links(p, Bytes(1000)) == Bytes(500));
    CHECK(nccl_on_links(p, Bytes(1000)) == Bytes(1000));
    NcclCall call;
    call.ranks = 4;
    call.bytes = Bytes(4000);
    CHECK(predict_nccl(round_profile(), call).value() == is(21.5e-6));
}

TEST_CASE("a NCCL all-to-all over a host's bridge by hand") {
    // Pairs of GPUs share a bridge of 2 GB/s with four ranks; with 8 ranks and contention 1 it gives 2 / (8/4) = 1
    // GB/s. The first 400 B of a message count twice. Four ranks, messages of 1000 B, 1400 B on links: 8 of 12 messages
    // cross pairs, 11,200 B at 2 GB/s = 5.6 us; a GPU copies 3 * 1400 + 500 = 4700 B at 1 GB/s = 4.7 us, so the bridge
    // binds. Before: 17 us + 1 us as above.
    Profile profile = round_profile();
    NcclProfile& p = *profile.collectives.nccl;
    p.flagged = {{Bytes(400), ""}, {2.0, ""}};
    p.host_bridge = {{2, ""}, {BytesPerSecond(2e9), ""}, {1.0, ""}};
    CHECK(nccl_limits(p, 2).bridge->value() == is(2e9));
    CHECK(nccl_limits(p, 8).bridge->value() == is(1e9));
    CHECK(nccl_on_links(p, Bytes(100)) == Bytes(200));
    NcclCall call;
    call.ranks = 4;
    call.bytes = Bytes(4000);
    CHECK(predict_nccl(profile, call).value() == is(23.6e-6));
}

TEST_CASE("a normal dispatch inside a node by hand") {
    // 4 multiprocessors, rows of 1000 B: a row takes one of them sqrt(3^2 + (1000 B / 0.25 GB/s = 4 us)^2) = 5 us,
    // all four 1.25 us: 800 MB/s.
    //   before: 10 us + 1000 B / 1 GB/s = 11 us; 16 rows are x = 16 / (4/2) = 8 a channel, half_rows 8, so half of
    //   2 rows in flight at 4 us each: 4 us. 15 us in all.
    const DeepEpNormalPhase p = round_normal();
    const DeepEpNormalCall call{4, Bytes(1000), false};
    CHECK(deepep_normal_start_up(p, call, 16).value() == is(15e-6));
    CHECK(deepep_normal_limits(p, call).copy.value() == is(800e6));
    // Sums of 8000 B by four at 0.1 GB/s each: 20 us.
    CHECK(deepep_normal_least(p, call, Bytes(8000)).value() == is(20e-6));
}

TEST_CASE("a normal dispatch across nodes by hand") {
    // As above, with 2 us more, 3 rows in flight at 1000 B / 0.5 GB/s = 2 us each, half at 4 rows a channel:
    // 16 rows are 8 a channel: 8 / 12 of 6 us = 4 us. 10 + 1 + 2 + 4 = 17 us. A row of 1000 B is
    // copied in 1000 B / (4 * 0.5 GB/s) = 0.5 us, and passes what they share, 6 GB/s, in 1/6 us: 1000 B / (2/3 us).
    const DeepEpNormalPhase p = round_normal();
    const DeepEpNormalCall call{4, Bytes(1000), true};
    CHECK(deepep_normal_start_up(p, call, 16).value() == is(17e-6));
    const CallLimits limits = deepep_normal_limits(p, call);
    CHECK(limits.copy.value() == is(1.5e9));
    CHECK(limits.nic->value() == is(0.4e9));
    CHECK_FALSE(limits.copies_inside);
    // Twice the multiprocessors bring less than twice as much: 1 / (1/4 + 1/6) = 2.4 GB/s.
    CHECK(deepep_normal_limits(p, {8, Bytes(1000), true}).copy.value() == is(2.4e9));
}

TEST_CASE("a low-latency dispatch by hand") {
    // 5 us + 8 experts * 0.5 us + 1000 B / 1 GB/s = 10 us; 6 us more across nodes. Copies at 2 GB/s, but 8 experts
    // keep only 8 * 0.1 GB/s busy.
    const DeepEpLowLatencyPhase p = round_low_latency();
    CHECK(deepep_low_latency_start_up(p, {8, Bytes(1000), false}).value() == is(10e-6));
    CHECK(deepep_low_latency_start_up(p, {8, Bytes(1000), true}).value() == is(16e-6));
    CHECK(deepep_low_latency_limits(p, {8, Bytes(1000), false}).copy.value() == is(0.8e9));
    CHECK(deepep_low_latency_limits(p, {64, Bytes(1000), false}).copy.value() == is(2e9));
    // 7168 values of fp8: 7168 B, 56 scales of 4 B; 16 B of header.
    CHECK(fp8_row(7168) == Bytes(7392));
    CHECK(low_latency_fp8_row(7168) == Bytes(7408));
    CHECK(fp8_row(129) == Bytes(137));
}

TEST_CASE("a low-latency call by hand, as its messages go") {
    // Two nodes, 16 experts of hidden 984 (984 + 32 + 16 = 1032 B a row), 16 tokens, top-1: a row from each rank to
    // each of the 16, itself included. Over a NIC go 8 rows: 8256 B at 0.4 GB/s = 20.64 us; copies: 16,512 B at 16 *
    // 0.1 GB/s = 10.32 us. Before: 5 + 16 * 0.5 + 1.032 + 6 = 20.032 us.
    DeepEpCall c;
    c.nodes = c.most_nodes = 2;
    c.hidden = 984;
    c.tokens = c.experts = 16;
    c.top_k = 1;
    CHECK(predict_deepep_low_latency(round_profile(), c).value() == is(40.672e-6));
}

TEST_CASE("the links that a call's messages take") {
    CallLimits limits;
    limits.bridge = BytesPerSecond(1e9);
    limits.bridge_gpus = 2;
    limits.nic = BytesPerSecond(3e9);
    const Fabric fabric = with_call_limits(build_fabric(small_tree(2, 4)), limits);
    CHECK(names(fabric, 0, 0) == Names{"gpu0.copy.out", "gpu0.copy.in"});
    CHECK(names(fabric, 0, 1) == Names{"gpu0.copy.out", "gpu0.nvlink.up", "gpu1.nvlink.down", "gpu1.copy.in"});
    CHECK(names(fabric, 5, 7) ==
          Names{"gpu5.copy.out", "gpu5.nvlink.up", "gpu7.nvlink.down", "node1.bridge", "gpu7.copy.in"});
    CHECK(names(fabric, 0, 4) == Names{"gpu0.copy.out", "gpu0.nic.out", "gpu0.nic.up", "leaf0.uplink.up",
                                       "leaf1.uplink.down", "gpu4.nic.down", "gpu4.nic.in", "gpu4.copy.in"});
    CHECK(fabric.link(fabric.route(RankId(0), RankId(4)).links()[1]).capacity == BytesPerSecond(3e9));
    limits.copies_inside = false;
    CHECK(names(with_call_limits(build_fabric(small_tree(2, 4)), limits), 0, 1) ==
          Names{"gpu0.nvlink.up", "gpu1.nvlink.down"});
}

TEST_CASE("flows share what the GPUs copy as they share links") {
    // Ports at 4 GB/s, copies at 1 GB/s. 0->1 and 0->2, 1 GB each, share what GPU 0 copies out: 0.5 GB/s each, 2 s.
    // 3->1, 0.5 GB, shares what GPU 1 copies in with 0->1: 0.5 GB/s, 1 s; then 0->1 still gets no more out of GPU 0.
    const auto finish = in_child([] {
        CallLimits limits;
        limits.copy = BytesPerSecond(1e9);
        limits.nvlink = BytesPerSecond(4e9);
        const Fabric fabric = with_call_limits(build_fabric(one_switch(4)), limits);
        const Ways ways(fabric, without_link_losses(round_profile()));
        TaskGraph g;
        g.add(transfer(0, 1, 1'000'000'000));
        g.add(transfer(0, 2, 1'000'000'000));
        g.add(transfer(3, 1, 500'000'000));
        nlohmann::json all = nlohmann::json::array();
        for (const TaskTime& t : run_tasks(g, ways, NetworkSpec{NetworkKind::simgrid, 0}, {}, {}).tasks)
            all.push_back(t.finish.value());
        return all;
    });
    CHECK(finish[0].get<double>() == is(2));
    CHECK(finish[1].get<double>() == is(2));
    CHECK(finish[2].get<double>() == is(1));
}

TEST_CASE("how many places a token's choices are in, by hand") {
    // Top-2 of 4 experts in 2 places of 2: both in one place for 2 of 6 pairs, in two for 4: (2 * 1 + 4 * 2) / 6 = 5/3.
    CHECK(expected_places(2, 4, 2) == is(5.0 / 3));
    CHECK(expected_places(8, 8, 2) == is(2));
    CHECK(expected_places(1, 256, 8) == is(1));
    CHECK(expected_places(2, 4, 3) == is(2));
}

TEST_CASE("a profile with collectives reads back as it was written") {
    const Profile p = round_profile();
    CHECK(parse_profile(nlohmann::json(to_json(p)), "profile.json") == p);
    Profile none = p;
    none.collectives = {};
    CHECK_FALSE(to_json(none).contains("collectives"));
    CHECK(parse_profile(nlohmann::json(to_json(none)), "profile.json") == none);
}

TEST_CASE("shipped profiles say what the calls take that they were fitted to") {
    struct Shipped {
        const char* name;
        bool nccl, deepep;
    };
    for (const Shipped s : {Shipped{"a100-sxm", true, false}, Shipped{"h100-sxm", true, true},
                            Shipped{"h800", false, true}, Shipped{"l40s", true, false}}) {
        const std::string file = std::string(MOESIM_SOURCE_DIR) + "/topologies/profiles/" + s.name + ".json";
        INFO(file);
        const Profile p = parse_profile(nlohmann::json::parse(slurp(file)), file);
        CHECK(p.name == s.name);
        CHECK(p.collectives.nccl.has_value() == s.nccl);
        CHECK(p.collectives.deepep_normal.has_value() == s.deepep);
        CHECK(p.collectives.deepep_low_latency.has_value() == s.deepep);
        CHECK(parse_profile(nlohmann::json(to_json(p)), file) == p);
    }
}
