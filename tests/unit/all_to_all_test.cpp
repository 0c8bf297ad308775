// One case worked out by hand for each all-to-all algorithm. Links are 1 GB/s inside a node and 0.1 GB/s between nodes.
#include "network/alltoall/all_to_all.hpp"

#include <algorithm>
#include <array>

#include "network/alltoall/choose.hpp"
#include "placement/placement.hpp"
#include "study/resolve.hpp"
#include "support/catch.hpp"
#include "support/exchanges.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// Ranks 0 to 3, one expert group; by twos on two nodes, or all on one.
struct Four {
    TopologySpec topology;
    Fabric fabric;
    RankGrid grid;
    Profile profile = ideal_profile();

    explicit Four(TopologySpec t) : topology(std::move(t)), fabric(build_fabric(topology)), grid({4, 4, 1}) {}
    [[nodiscard]] auto algorithm(Algorithm a, std::int64_t window = 8) const {
        DispatchSpec d;
        d.algorithm = a;
        d.window = window;
        return make_all_to_all(d, profile, grid, fabric);
    }
    [[nodiscard]] double time(const std::vector<Message>& messages) const {
        return time_of(messages, topology, profile);
    }
};

// The top-3 choices of three tokens on rank 0, experts 2 r and 2 r + 1 on rank r.
Exchange three_tokens(const Four& four, Dedup dedup) {
    static const std::vector<ExpertIndex> choices = {4, 5, 6, 0, 2, 7, 6, 7, no_expert};
    ModelSpec model;
    model.moe_layers = 1;
    model.experts = 8;
    const SourceChoices source{0, choices, 3};
    return count_exchange({&source, 1}, LayerId(0), dedup,
                          make_placement(PlacementMethod::contiguous, model, {4, 4, 1}), four.grid, four.fabric);
}

std::vector<std::array<std::int64_t, 3>> sent(const std::vector<Message>& messages) {
    std::vector<std::array<std::int64_t, 3>> all;
    for (const Message& m : messages)
        all.push_back(
            {static_cast<std::int64_t>(m.from.value()), static_cast<std::int64_t>(m.to.value()), m.bytes.value()});
    return all;
}
using Sent = std::vector<std::array<std::int64_t, 3>>;

constexpr Bytes row(1000);

}  // namespace

TEST_CASE("direct: all pairs at once", "[all-to-all]") {
    // 100 rows of 1000 B to each of 3 peers. A NIC sends two of them: 2e5 / 1e8 = 2 ms, and so does the uplink of two
    // GPUs with 4e5 / 2e8; NVLink is done after 0.1 ms.
    const Four four(small_tree(2, 2));
    const auto a = four.algorithm(Algorithm::direct);
    const auto messages = a->dispatch(even_exchange(four.grid, 100), row);
    CHECK(messages.size() == 12);
    CHECK(four.time(messages) == is(2e-3));
    CHECK(four.time(a->give_back(even_exchange(four.grid, 100), row)) == is(2e-3));
}

TEST_CASE("pairwise: rounds follow each other in a window", "[all-to-all]") {
    // One switch, start-up 5 us, 100 us a message alone. Window 1: three rounds of 105 us. Window 2: rounds 1 and 2
    // share each link for 5 + 200 us, then round 3 takes 105 us. Window 3: all at once, 5 + 300 us.
    Four four(one_switch(4));
    four.profile.nvlink.overhead.value = Seconds(5e-6);
    const Exchange x = even_exchange(four.grid, 100);
    const std::array<double, 3> expected = {315e-6, 310e-6, 305e-6};
    for (std::int64_t window = 1; window <= 3; ++window)
        CHECK(four.time(four.algorithm(Algorithm::pairwise, window)->dispatch(x, row)) ==
              is(expected[static_cast<std::size_t>(window - 1)]));
    const auto messages = four.algorithm(Algorithm::pairwise, 1)->dispatch(x, row);
    CHECK(sent(messages) == Sent{{0, 1, 100000},
                                 {1, 2, 100000},
                                 {2, 3, 100000},
                                 {3, 0, 100000},
                                 {0, 2, 100000},
                                 {1, 3, 100000},
                                 {2, 0, 100000},
                                 {3, 1, 100000},
                                 {0, 3, 100000},
                                 {1, 0, 100000},
                                 {2, 1, 100000},
                                 {3, 2, 100000}});
    CHECK(messages[4].after == std::vector<std::uint32_t>{0});
}

TEST_CASE("pairwise: rounds that are not alike get in each other's way", "[all-to-all]") {
    // By twos on two nodes, window 1, times in ms. Rank 0 sends to 1 (NVLink, 0.1), 2, 3; rank 1 to 2, 3, 0. Both meet
    // at rank 2's NIC: 1 -> 2 is alone until 0.1 and has sent a tenth, the rest takes 1.8: ends at 1.9; 0 -> 2 then
    // has a tenth left: 2.0. At rank 3 the same again: 1 -> 3 from 1.9 to 3.8, 0 -> 3 from 2.0 to 3.9. 1 -> 0: 3.9.
    const Four four(small_tree(2, 2));
    const auto a = four.algorithm(Algorithm::pairwise, 1);
    CHECK(four.time(a->dispatch(even_exchange(four.grid, 100), row)) == is(3.9e-3));
}

TEST_CASE("hierarchical: one message from each GPU to each other node", "[all-to-all]") {
    // Inside, rank 0 gives rank 1 what is for ranks 1 and 3: 2e5 B; across, it sends rank 2 its own 1e5 B and rank 1's.
    // Copies of 2e5 B at 1 TB/s, read and written: 0.4 us before each step. 0.4 us + 0.2 ms + 0.4 us + 2 ms.
    const Four four(small_tree(2, 2));
    const auto a = four.algorithm(Algorithm::hierarchical);
    const Exchange x = even_exchange(four.grid, 100);
    const auto messages = a->dispatch(x, row);
    CHECK(sent(messages) == Sent{{0, 1, 200000},
                                 {2, 3, 200000},
                                 {1, 0, 200000},
                                 {3, 2, 200000},
                                 {0, 2, 200000},
                                 {1, 3, 200000},
                                 {2, 0, 200000},
                                 {3, 1, 200000}});
    CHECK(messages[4].after == std::vector<std::uint32_t>{2});  // 0 -> 2 after 1 -> 0
    CHECK(four.time(messages) == is(2.2008e-3));
    CHECK(four.time(a->give_back(x, row)) == is(2.2008e-3));
    // Rank 0 holds rank 1's 100 rows for rank 2, and copies of these and its own.
    CHECK(a->staged_rows(x) == std::vector<std::int64_t>{300, 300, 300, 300});
}

TEST_CASE("hierarchical: the return comes in by the nodes first", "[all-to-all]") {
    const Four four(small_tree(2, 2));
    const auto back = four.algorithm(Algorithm::hierarchical)->give_back(even_exchange(four.grid, 100), row);
    CHECK(sent(back) == Sent{{1, 3, 200000},
                             {0, 2, 200000},
                             {3, 1, 200000},
                             {2, 0, 200000},
                             {2, 3, 200000},
                             {0, 1, 200000},
                             {3, 2, 200000},
                             {1, 0, 200000}});
    CHECK(back[5].after == std::vector<std::uint32_t>{3});  // 0 -> 1 after 2 -> 0
    CHECK(back[5].waits_for_issue);
}

TEST_CASE("rail: one copy to a node, forwarded inside", "[all-to-all]") {
    // All three tokens cross once to rank 2, which gives rank 3 the three that it needs. Rows of 1e5 B: 3 ms + 0.3 ms,
    // and back 0.3 ms + 3 ms.
    const Four four(small_tree(2, 2));
    const auto a = four.algorithm(Algorithm::rail);
    const Exchange x = three_tokens(four, Dedup::node);
    const auto messages = a->dispatch(x, Bytes(100000));
    CHECK(sent(messages) == Sent{{0, 1, 100000}, {0, 2, 300000}, {2, 3, 300000}});
    CHECK(four.time(messages) == is(3.3e-3));
    CHECK(four.time(a->give_back(x, Bytes(100000))) == is(3.3e-3));
    CHECK(a->staged_rows(x) == std::vector<std::int64_t>{0, 0, 3, 0});
}

TEST_CASE("low latency: a message for every choice", "[all-to-all]") {
    // Of eight choices one stays, one goes to rank 1, two to rank 2 and four to rank 3: six rows of 1e5 B over the NIC.
    const Four four(small_tree(2, 2));
    const auto messages =
        four.algorithm(Algorithm::low_latency)->dispatch(three_tokens(four, Dedup::none), Bytes(100000));
    CHECK(sent(messages) == Sent{{0, 1, 100000}, {0, 2, 200000}, {0, 3, 400000}});
    CHECK(messages[0].parts == 1);
    CHECK(messages[1].parts == 2);
    CHECK(messages[2].parts == 4);
    CHECK(four.time(messages) == is(6e-3));
}

namespace {

// 16 GPUs by eights on two nodes with real figures for start-ups; one token each, or many.
Scenario sixteen(std::int64_t tokens) {
    Scenario s = tiny(16, tokens);
    s.topology = small_tree(2, 8);
    s.topology.nvlink.bandwidth = BytesPerSecond(450e9);
    s.topology.nic.bandwidth = BytesPerSecond(50e9);
    s.topology.uplink.bandwidth = BytesPerSecond(400e9);
    s.profile.nvlink.overhead.value = Seconds(10e-6);
    s.profile.nic.overhead.value = Seconds(16e-6);
    s.model.experts = 64;
    s.model.top_k = 8;
    s.model.hidden = 7168;
    s.dispatch.algorithm = Algorithm::chosen;
    return s;
}

}  // namespace

TEST_CASE("auto sends one copy to a node where links bind, and straight where start-ups do", "[all-to-all]") {
    // 4096 tokens a GPU with 8 of 64 experts in two nodes meet 8 (1 - C(60,8)/C(64,8)) = 3.4 GPUs of each node: NICs
    // carry a third with one copy. With one token a GPU the two hops of `rail` cost 26 us in the place of 16.
    CHECK(resolve(sixteen(16 * 4096), "test").scenario.dispatch.algorithm == Algorithm::rail);
    CHECK(resolve(sixteen(16 * 4096), "test").scenario.dispatch.dedup == Dedup::node);
    CHECK(resolve(sixteen(16), "test").scenario.dispatch.algorithm == Algorithm::direct);
    CHECK(resolve(sixteen(16), "test").scenario.dispatch.dedup == Dedup::rank);
}

TEST_CASE("the least time of messages is their longest chain or their busiest link", "[all-to-all]") {
    // Three messages of 100 us one after another, 5 us each to start: 315 us; all at once: 5 us + 300 us.
    Four four(one_switch(4));
    four.profile.nvlink.overhead.value = Seconds(5e-6);
    const Exchange x = even_exchange(four.grid, 100);
    const MessageModel model(four.fabric, four.profile);
    const auto time = [&](const auto& a) { return least_time(a->dispatch(x, row), four.fabric, model).value(); };
    CHECK(time(four.algorithm(Algorithm::pairwise, 1)) == is(315e-6));
    CHECK(time(four.algorithm(Algorithm::direct)) == is(305e-6));
    auto capped = four.algorithm(Algorithm::direct)->dispatch(x, row);
    for (Message& m : capped) m.cap = BytesPerSecond(1e8);
    CHECK(least_time(capped, four.fabric, model).value() == is(1005e-6));
    CHECK(least_time({}, four.fabric, model) == Seconds{});
}
