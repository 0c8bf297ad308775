// What holds for every algorithm and every exchange.
#include "network/alltoall/all_to_all.hpp"

#include <algorithm>
#include <map>

#include "base/random.hpp"
#include "support/catch.hpp"
#include "support/exchanges.hpp"
#include "support/random_scenario.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr std::uint64_t cases = 300;
constexpr Bytes row(10);

using Pair = std::pair<RankId, RankId>;

// The plain exchange (every row straight to its rank) beside the messages that an algorithm makes of it.
struct Case {
    Scenario scenario;
    Fabric fabric;
    RankGrid grid;
    std::unique_ptr<const AllToAll> algorithm;
    Exchange exchange, plain;
    std::vector<Message> out, back;

    explicit Case(std::uint64_t i, Algorithm a)
        : scenario(random_scenario(i)), fabric(build_fabric(scenario.topology)), grid(scenario.parallelism) {
        DispatchSpec d;
        d.algorithm = a;
        d.dedup = a == Algorithm::rail ? Dedup::node : a == Algorithm::low_latency ? Dedup::none : Dedup::rank;
        d.window = static_cast<std::int64_t>(1 + i % 4);
        scenario.dispatch = d;
        algorithm = make_all_to_all(d, scenario.profile, grid, fabric);
        exchange = random_exchange(scenario, fabric, d.dedup, i);
        plain = random_exchange(scenario, fabric, d.dedup == Dedup::node ? Dedup::rank : d.dedup, i);
        out = algorithm->dispatch(exchange, row);
        back = algorithm->give_back(exchange, row * 3);
    }
};

// The member of its own node over which a rank reaches another one of its group: the one with the other's place.
RankId over(const Case& c, RankId from, RankId to) {
    const auto members = [&](RankId of) {
        std::vector<RankId> all;
        for (std::size_t r = 0; r < c.grid.ranks(); ++r) {
            const RankId rank(r);
            if (c.fabric.node_of(rank) == c.fabric.node_of(of) && c.grid.tensor_of(rank) == c.grid.tensor_of(of) &&
                c.grid.group_begin(c.grid.data_of(rank)) == c.grid.group_begin(c.grid.data_of(of)))
                all.push_back(rank);
        }
        return all;
    };
    const auto here = members(from), there = members(to);
    const auto place = static_cast<std::size_t>(std::find(there.begin(), there.end(), to) - there.begin());
    return here[place % here.size()];
}

// Follows every row of the plain exchange through the messages and counts what arrives; returns rows that each message
// should carry.  Rows of one token that travel as one copy (rail) are counted once, at their largest.
std::vector<std::int64_t> follow(const Case& c, std::vector<std::int64_t>& arrived) {
    std::vector<std::int64_t> carried(c.out.size());
    std::multimap<Pair, std::size_t> between;
    for (std::size_t i = 0; i < c.out.size(); ++i) between.emplace(Pair(c.out[i].from, c.out[i].to), i);
    const auto only = [&](RankId from, RankId to) {
        REQUIRE(between.count({from, to}) == 1);
        return between.find({from, to})->second;
    };
    const auto waits = [&](std::size_t message, std::size_t before) {
        const auto& after = c.out[message].after;
        return std::find(after.begin(), after.end(), before) != after.end();
    };
    for (const Hop& hop : c.plain.hops) {
        arrived[hop.to.value()] += hop.rows;
        if (c.scenario.dispatch.algorithm == Algorithm::hierarchical) {
            const RankId via = over(c, hop.from, hop.to);
            if (via != hop.from) carried[only(hop.from, via)] += hop.rows;
            if (via != hop.to) carried[only(via, hop.to)] += hop.rows;
            if (via != hop.from && via != hop.to) CHECK(waits(only(via, hop.to), only(hop.from, via)));
            CHECK(c.out[only(hop.from, via == hop.from ? hop.to : via)].waits_for_issue);
        } else if (c.scenario.dispatch.algorithm == Algorithm::rail && c.fabric.crosses_nodes(hop.from, hop.to)) {
            // Over the one message from the sender to that node, and where it came to another GPU, on from there.
            std::size_t crossing = c.out.size();
            for (std::size_t i = 0; i < c.out.size(); ++i)
                if (c.out[i].from == hop.from && c.fabric.node_of(c.out[i].to) == c.fabric.node_of(hop.to)) {
                    CHECK(crossing == c.out.size());
                    crossing = i;
                }
            REQUIRE(crossing < c.out.size());
            carried[crossing] = c.out[crossing].bytes.value() / row.value();
            CHECK(hop.rows <= carried[crossing]);
            if (c.out[crossing].to == hop.to) continue;
            const auto [first, last] = between.equal_range({c.out[crossing].to, hop.to});
            const auto on = std::find_if(first, last, [&](const auto& at) { return waits(at.second, crossing); });
            REQUIRE(on != last);
            carried[on->second] += hop.rows;
        } else if (c.scenario.dispatch.algorithm == Algorithm::rail) {
            const auto [first, last] = between.equal_range({hop.from, hop.to});
            const auto own = std::find_if(first, last, [&](const auto& at) { return c.out[at.second].after.empty(); });
            REQUIRE(own != last);
            carried[own->second] += hop.rows;
        } else {
            carried[only(hop.from, hop.to)] += hop.rows;
        }
    }
    for (std::size_t r = 0; r < arrived.size(); ++r) arrived[r] += c.plain.local_rows[r];
    return carried;
}

// The most messages of one sender and kind (inside a node, between nodes) that are under way at once, where each takes
// a random time.
std::size_t most_under_way(const Case& c, const std::vector<Message>& messages, std::uint64_t seed) {
    RandomStream random(stream_key(22, 0), seed);
    std::vector<double> ends(messages.size());
    std::map<std::pair<RankId, bool>, std::vector<std::pair<double, int>>> events;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        double start = 0;
        for (const std::uint32_t before : messages[i].after) start = std::max(start, ends[before]);
        ends[i] = start + 0.1 + random.uniform();
        auto& own = events[{messages[i].from, c.fabric.crosses_nodes(messages[i].from, messages[i].to)}];
        own.emplace_back(start, 1);
        own.emplace_back(ends[i], -1);
    }
    std::size_t most = 0;
    for (auto& [key, own] : events) {
        std::sort(own.begin(), own.end());  // at one moment ends come before starts
        std::size_t now = 0;
        for (const auto& [at, change] : own) most = std::max(most, now += static_cast<std::size_t>(change));
    }
    return most;
}

}  // namespace

TEST_CASE("every row arrives once, and the return is the dispatch backwards", "[all-to-all]") {
    for (const Algorithm a :
         {Algorithm::direct, Algorithm::pairwise, Algorithm::hierarchical, Algorithm::rail, Algorithm::low_latency})
        for (std::uint64_t i = 0; i < cases; ++i) {
            INFO(name(a) << " on random_scenario(" << i << ")");
            const Case c(i, a);
            std::vector<std::int64_t> arrived(c.grid.ranks());
            const auto carried = follow(c, arrived);
            CHECK(arrived == c.exchange.received_rows);
            REQUIRE(c.out.size() == c.back.size());
            std::int64_t parts = 0;
            for (std::size_t m = 0; m < c.out.size(); ++m) {
                const Message &there = c.out[m], &back = c.back[c.out.size() - 1 - m];
                CHECK(there.bytes == row * carried[m]);
                CHECK((back.from == there.to && back.to == there.from && back.bytes == there.bytes * 3));
                CHECK(back.parts == there.parts);
                CHECK(there.from != there.to);
                CHECK(there.bytes > Bytes(0));
                for (const auto* list : {&c.out, &c.back})
                    for (const std::uint32_t before : (*list)[m].after) CHECK(before < m);
                parts += there.parts;
            }
            std::int64_t rows = 0;
            for (const Hop& hop : c.exchange.hops) rows += hop.rows;
            CHECK(parts == (a == Algorithm::low_latency ? rows : static_cast<std::int64_t>(c.out.size())));
        }
}

TEST_CASE("a rank has no more messages under way than its window", "[all-to-all]") {
    for (const Algorithm a : {Algorithm::pairwise, Algorithm::hierarchical})
        for (std::uint64_t i = 0; i < cases; ++i) {
            INFO(name(a) << " on random_scenario(" << i << ")");
            const Case c(i, a);
            const auto window = static_cast<std::size_t>(c.scenario.dispatch.window);
            CHECK(most_under_way(c, c.out, i) <= window);
            CHECK(most_under_way(c, c.back, i) <= window);
        }
}

TEST_CASE("a rank's messages arrive no faster than the gaps between them let them begin", "[all-to-all]") {
    for (const Algorithm a :
         {Algorithm::direct, Algorithm::pairwise, Algorithm::hierarchical, Algorithm::rail, Algorithm::low_latency})
        for (std::uint64_t i = 0; i < 20; ++i) {
            INFO(name(a) << " on random_scenario(" << i << ")");
            Case c(i, a);
            const double inside = 1e-6 * static_cast<double>(1 + i % 3), between = 1e-6 * static_cast<double>(i % 5);
            c.scenario.profile.nvlink.gap = {Seconds(inside), "made up"};
            c.scenario.profile.nic.gap = {Seconds(between), "made up"};
            if (c.scenario.profile.pcie) c.scenario.profile.pcie->gap = {Seconds(inside), "made up"};
            const MessageModel model(c.fabric, c.scenario.profile);
            for (const auto* messages : {&c.out, &c.back}) {
                const auto arrivals = arrivals_of(*messages, c.scenario.topology, c.scenario.profile);
                REQUIRE(arrivals.size() == messages->size());
                // However they are ordered, when some of a rank's messages have arrived the last of them has begun,
                // after a gap for each part but the first.
                std::map<std::pair<RankId, LinkClass>, std::vector<std::pair<double, double>>> of_sender;
                for (std::size_t m = 0; m < messages->size(); ++m) {
                    const Message& one = (*messages)[m];
                    const Route route = c.fabric.route(one.from, one.to);
                    of_sender[{one.from, model.class_of(route)}].emplace_back(
                        arrivals[m], model.gap(route).value() * static_cast<double>(one.parts));
                }
                for (auto& [sender, sent] : of_sender) {
                    std::sort(sent.begin(), sent.end());
                    double gaps = 0;
                    for (const auto& [arrival, parts] : sent) {
                        gaps += parts;
                        const double of_one = sender.second == LinkClass::nic ? between : inside;
                        CHECK(arrival >= gaps - of_one - 1e-12);
                    }
                }
            }
        }
}

TEST_CASE("two levels send between nodes what has to go there, and no more", "[all-to-all]") {
    for (std::uint64_t i = 0; i < cases; ++i) {
        INFO("random_scenario(" << i << ")");
        const Case c(i, Algorithm::hierarchical);
        Bytes needed, sent;
        for (const Hop& hop : c.plain.hops)
            if (c.fabric.crosses_nodes(hop.from, hop.to)) needed += row * hop.rows;
        for (const Message& m : c.out)
            if (c.fabric.crosses_nodes(m.from, m.to)) sent += m.bytes;
        CHECK(sent == needed);
    }
}
