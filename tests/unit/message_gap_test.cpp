// What a gap between a rank's messages does, worked out by hand. Links are 1 GB/s inside a node and 0.1 GB/s between
// nodes.
#include "network/alltoall/message_gap.hpp"

#include <nlohmann/json.hpp>

#include "config/profile.hpp"
#include "network/alltoall/all_to_all.hpp"
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
    return p;
}

Message message(std::size_t from, std::size_t to, std::int64_t bytes, std::vector<std::uint32_t> after = {}) {
    return {RankId(from), RankId(to), Bytes(bytes), true, std::move(after)};
}

}  // namespace

TEST_CASE("a rank's messages begin one gap apart, each class of links for itself", "[all-to-all]") {
    const Fabric fabric = build_fabric(small_tree(2, 2));  // ranks 0 and 1 on one node, 2 and 3 on the other
    const MessageModel model(fabric, with_gaps(Seconds(1e-6), Seconds(10e-6)));
    std::vector<Message> all = {message(0, 1, 100), message(0, 2, 100), message(0, 3, 100), message(1, 2, 100)};
    all[1].parts = 4;
    keep_message_gaps(all, model);
    CHECK(all[0].delay == Seconds{});
    CHECK(all[1].delay.value() == is(30e-6));  // the first one over NICs, its fourth part
    CHECK(all[2].delay.value() == is(40e-6));  // after four parts
    CHECK(all[3].delay == Seconds{});          // of another rank
}

TEST_CASE("a window keeps gaps where its messages take no longer anyway", "[all-to-all]") {
    // 1000 bytes take 1 us inside a node, and the gap is 3 us: with one message under way the second begins when the
    // first has arrived, 2 us before it may. 5000 bytes take 5 us, so that the third waits for nothing more.
    const Fabric fabric = build_fabric(one_switch(4));
    const MessageModel model(fabric, with_gaps(Seconds(3e-6), Seconds{}));
    std::vector<Message> all = {message(0, 1, 1000), message(0, 2, 5000, {0}), message(0, 3, 1000, {1})};
    keep_message_gaps(all, model);
    CHECK(all[0].delay == Seconds{});
    CHECK(all[1].delay.value() == is(2e-6));
    CHECK(all[2].delay == Seconds{});
    // A copy of 4 us that comes before it anyway is enough.
    all[1].delay = Seconds(4e-6);
    keep_message_gaps(std::span(all).first(2), model);
    CHECK(all[1].delay.value() == is(4e-6));
    // What another rank's message brings is sent on at once, and further on one gap later.
    std::vector<Message> forwarded = {message(0, 1, 1000), message(1, 2, 1000, {0}), message(1, 3, 1000, {0})};
    keep_message_gaps(forwarded, model);
    CHECK(forwarded[1].delay == Seconds{});
    CHECK(forwarded[2].delay.value() == is(3e-6));
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
    CHECK(time_of(all(Bytes(1)), topology, profile) == is(8.001e-6));
    CHECK(time_of(all(Bytes(100000)), topology, profile) == is(300e-6));

    // In the order of ranks all third messages but rank 3's own go to rank 3, whose link takes 3 ns for three bytes.
    std::vector<Transfer> transfers;
    for (const Message& m : all(Bytes(1))) transfers.push_back({m.from, m.to, m.bytes});
    CHECK(transfer_time(fabric, MessageModel(fabric, profile), transfers, 0).value() == is(8.003e-6));
}

TEST_CASE("a gap is read and written", "[config]") {
    const Profile p = with_gaps(Seconds(2e-6), Seconds(3e-7));
    CHECK(parse_profile(nlohmann::json::parse(to_json(p).dump()), "p.json") == p);
}
