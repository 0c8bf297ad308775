// What a gap between a rank's messages does, worked out by hand. Links are 1 GB/s inside a node and 0.1 GB/s between
// nodes, and start-ups 1 us.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/profile.hpp"
#include "network/alltoall/all_to_all.hpp"
#include "network/alltoall/choose.hpp"
#include "network/send_gaps.hpp"
#include "network/transfer_time.hpp"
#include "support/catch.hpp"
#include "support/exchanges.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

Profile with_gaps(Seconds nvlink, Seconds nic) {
    Profile p = ideal_profile();
    p.nvlink.gap = {nvlink, "made up"};
    p.nic.gap = {nic, "made up"};
    p.nvlink.overhead.value = p.nic.overhead.value = Seconds(1e-6);
    return p;
}

Message message(std::size_t from, std::size_t to, std::int64_t bytes, std::vector<std::uint32_t> after = {}) {
    return {RankId(from), RankId(to), Bytes(bytes), true, std::move(after)};
}

}  // namespace

TEST_CASE("a rank's messages begin one gap apart, each class of links for itself", "[all-to-all]") {
    // Gaps of 1 us inside nodes and 10 us between; 10 bytes take 10 ns and 100 ns. Ranks 0 and 1 are on one node. In
    // turn rank 0 sends to 1, 2 and 3, whatever the order of the list: at once; at once four parts, of which the last
    // begins after 30 us; and after those four. Rank 1 keeps gaps of its own.
    std::vector<Message> all = {message(0, 3, 10), message(0, 2, 10), message(0, 1, 10), message(1, 2, 10)};
    all[1].parts = 4;
    const auto at = arrivals_of(all, small_tree(2, 2), with_gaps(Seconds(1e-6), Seconds(10e-6)));
    CHECK(at[0] == is(41.1e-6));
    CHECK(at[1] == is(31.1e-6));
    CHECK(at[2] == is(1.01e-6));
    CHECK(at[3] == is(1.1e-6));
}

TEST_CASE("a window keeps gaps, and none that have passed anyway", "[all-to-all]") {
    const Profile profile = with_gaps(Seconds(3e-6), Seconds{});
    // 1000 bytes take 1 us after the start-up. With one message under way the second may begin when the first has
    // arrived, 1 us before the gap is over: it arrives after 3 + 1 + 5 us. The third waits for nothing more.
    const std::vector<Message> one = {message(0, 1, 1000), message(0, 2, 5000, {0}), message(0, 3, 1000, {1})};
    const auto single = arrivals_of(one, one_switch(4), profile);
    CHECK(single[0] == is(2e-6));
    CHECK(single[1] == is(9e-6));
    CHECK(single[2] == is(11e-6));
    // Two under way, the second 3 us after the first: then both have 7000 bytes to go and half of the link, and end
    // together after 18 us. Of the next two one begins at once, the other 3 us later.
    const std::vector<Message> two = {message(0, 1, 10000), message(0, 2, 7000), message(0, 3, 1000, {0}),
                                      message(0, 4, 1000, {1})};
    const auto pair = arrivals_of(two, one_switch(5), profile);
    CHECK(pair[0] == is(18e-6));
    CHECK(pair[1] == is(18e-6));
    CHECK(std::min(pair[2], pair[3]) == is(20e-6));
    CHECK(std::max(pair[2], pair[3]) == is(23e-6));
}

TEST_CASE("messages that are sent on keep gaps as well, also after a rank's own", "[all-to-all]") {
    // Three messages of 1 byte come to rank 3 within 3 ns, each of which it sends on, 10 us apart, after its own one.
    const std::vector<Message> all = {message(0, 3, 1),     message(1, 3, 1),      message(2, 3, 1),
                                      message(3, 0, 1),     message(3, 4, 1, {0}), message(3, 5, 1, {1}),
                                      message(3, 6, 1, {2})};
    auto at = arrivals_of(all, one_switch(7), with_gaps(Seconds(10e-6), Seconds{}));
    CHECK(at[3] == is(1.001e-6));
    std::sort(at.begin() + 4, at.end());  // they came in the same moment
    CHECK(at[4] == is(11.001e-6));
    CHECK(at[5] == is(21.001e-6));
    CHECK(at[6] == is(31.001e-6));
}

TEST_CASE("the least time that gaps take", "[all-to-all]") {
    // Rank 0: over NICs one message and one of four parts, which begins 10 us + 3 10 us after the first; inside the
    // node two, 1 us apart. Rank 1: one. So the last begins after 40 us, in whatever order; 10 bytes take 100 ns more.
    const Fabric fabric = build_fabric(small_tree(2, 2));
    const MessageModel model(fabric, with_gaps(Seconds(1e-6), Seconds(10e-6)));
    SendGaps gaps(model);
    const auto add = [&](std::size_t from, std::size_t to, std::int64_t parts) {
        return gaps.add(RankId(from), fabric.route(RankId(from), RankId(to)), parts).value();
    };
    CHECK(add(0, 2, 1) == 0);
    CHECK(add(0, 1, 1) == 0);
    CHECK(add(0, 3, 4) == is(40e-6));
    CHECK(add(0, 1, 1) == is(1e-6));
    CHECK(add(1, 3, 1) == 0);
    CHECK(gaps.last().value() == is(40e-6));
    gaps.clear();
    CHECK(gaps.last() == Seconds{});
    CHECK(add(0, 2, 1) == 0);

    std::vector<Message> all = {message(0, 2, 10), message(0, 3, 10), message(0, 1, 10)};
    all[1].parts = 4;
    // The busiest link, rank 0's NIC, has 20 bytes, which take 200 ns.
    CHECK(least_time(all, fabric, model).value() == is(41e-6));
}

TEST_CASE("an all-to-all of short messages takes its gaps, one of long messages its links", "[all-to-all]") {
    // Four GPUs at one switch, 1 GB/s. One byte to each of three others: the third begins after two gaps of 4 us. With
    // 100,000 bytes each the links need 300 us, which the gaps' 8 us are hidden in, but for the start of the last ones.
    const TopologySpec topology = one_switch(4);
    const Fabric fabric = build_fabric(topology);
    const RankGrid grid({4, 4, 1});
    const Profile profile = with_gaps(Seconds(4e-6), Seconds{});
    const auto all = [&](Bytes row) {
        return make_all_to_all({}, profile, grid, fabric)->dispatch(even_exchange(grid, 1), row);
    };
    CHECK(time_of(all(Bytes(1)), topology, profile) == is(9.001e-6));
    CHECK(time_of(all(Bytes(100000)), topology, profile) == is(301e-6));

    // In the order of ranks all third messages but rank 3's own go to rank 3, whose link takes 3 ns for three bytes.
    std::vector<Transfer> transfers;
    for (const Message& m : all(Bytes(1))) transfers.push_back({m.from, m.to, m.bytes});
    CHECK(transfer_time(fabric, MessageModel(fabric, profile), transfers, 0).value() == is(9.003e-6));
}

TEST_CASE("a gap is read and written", "[config]") {
    const Profile p = with_gaps(Seconds(2e-6), Seconds(3e-7));
    CHECK(parse_profile(nlohmann::json::parse(to_json(p).dump()), "p.json") == p);
}
