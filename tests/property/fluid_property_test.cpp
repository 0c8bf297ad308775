// The fluid network against SimGrid, and against itself without a tolerance.
#include <algorithm>
#include <cmath>

#include "base/random.hpp"
#include "network/fluid/fluid_network.hpp"
#include "support/catch.hpp"
#include "support/flows.hpp"

using namespace moesim;
using namespace moesim::test;
using namespace moesim::fluid;

namespace {

double largest_error(const std::vector<double>& found, const std::vector<double>& expected) {
    REQUIRE(found.size() == expected.size());
    double worst = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        REQUIRE(expected[i] > 0);
        worst = std::max(worst, std::abs(found[i] / expected[i] - 1));
    }
    return worst;
}

}  // namespace

TEST_CASE("without a tolerance every flow ends when SimGrid says") {
    // Links, routes, sizes, starts, caps, changes of capacity: see random_flows().
    for (std::uint64_t i = 0; i < 300; ++i) {
        INFO("random_flows(" << i << ")");
        const FlowCase c = random_flows(i);
        CHECK(largest_error(ends_by_fluid(c), ends_by_simgrid(c)) < 1e-6);
    }
}

TEST_CASE("so it does in all-to-alls, and where few of 128 ranks exchange") {
    const FlowCase dense = all_to_all(24, 2, 0.3, 1);
    CHECK(largest_error(ends_by_fluid(dense), ends_by_simgrid(dense)) < 1e-6);
    FlowCase sparse = all_to_all(128, 3, 0.1, 2);
    RandomStream random(7, 7);
    std::vector<FlowCase::Flow> kept;
    for (const auto& f : sparse.flows)
        if (random.below(30) == 0) kept.push_back(f);
    sparse.flows = kept;
    CHECK(largest_error(ends_by_fluid(sparse), ends_by_simgrid(sparse)) < 1e-6);
}

TEST_CASE("with the default tolerance the makespan is within 0.5% and each rank's end within 1%") {
    for (const std::size_t ranks : {16U, 32U, 64U})
        for (const double spread : {0.0, 0.3, 1.0, 4.0})
            for (const double stagger : {0.0, 0.05, 0.5}) {
                INFO(ranks << " ranks, spread " << spread << ", stagger " << stagger);
                const FlowCase c = all_to_all(ranks, spread, stagger, 3);
                const auto exact = rank_ends(ranks, ends_by_fluid(c));
                const auto quick = rank_ends(ranks, ends_by_fluid(c, 0.005));
                CHECK(largest_error(quick, exact) < 0.01);
                const double made = *std::max_element(quick.begin(), quick.end());
                CHECK(std::abs(made / *std::max_element(exact.begin(), exact.end()) - 1) < 0.005);
            }
}

TEST_CASE("a tolerance never moves more over a link than it can carry") {
    // Until any moment, what has ended over a link fits into capacity x time since the first start.
    for (std::uint64_t i = 0; i < 100; ++i) {
        INFO("random_flows(" << i << ")");
        FlowCase c = random_flows(i);
        c.changes.clear();
        for (const double tolerance : {0.0, 0.005, 0.05}) {
            const auto ends = ends_by_fluid(c, tolerance);
            for (std::size_t l = 0; l < c.capacity.size(); ++l)
                for (std::size_t f = 0; f < ends.size(); ++f) {
                    double carried = 0;
                    for (std::size_t g = 0; g < ends.size(); ++g)
                        if (ends[g] <= ends[f] && std::count(c.flows[g].route.begin(), c.flows[g].route.end(), l) > 0)
                            carried += c.flows[g].bytes;
                    CHECK(carried <= c.capacity[l] * ends[f] * (1 + 1e-9 + tolerance));
                }
        }
    }
}

TEST_CASE("levels are max-min fair: no link is overfull, and every flow is held back by a full one or its cap") {
    for (std::uint64_t i = 0; i < 300; ++i) {
        INFO("random_flows(" << i << ")");
        const FlowCase c = random_flows(i);
        LinkTable links(c.capacity);
        FlowTable flows(links.sink());
        std::vector<MaxMin::Cap> caps;
        for (const auto& f : c.flows) {
            if (f.cap < never) caps.emplace_back(f.cap, static_cast<Flow>(flows.size()));
            flows.add(f.route, f.bytes, f.cap, 0, 0);
        }
        std::sort(caps.begin(), caps.end());
        MaxMin max_min;
        max_min.index(flows, c.capacity.size());
        max_min.solve(flows, links, caps);
        std::vector<double> load(c.capacity.size()), largest(c.capacity.size());
        for (Flow f = 0; f < flows.size(); ++f)
            for (const Link l : c.flows[f].route) {
                load[l] += rate_of(flows, links.level, f);
                largest[l] = std::max(largest[l], rate_of(flows, links.level, f));
            }
        for (std::size_t l = 0; l < load.size(); ++l) CHECK(load[l] <= c.capacity[l] * (1 + 1e-9));
        for (Flow f = 0; f < flows.size(); ++f) {
            const double rate = rate_of(flows, links.level, f);
            const auto& route = c.flows[f].route;
            const bool held = std::any_of(route.begin(), route.end(), [&](Link l) {
                return load[l] >= c.capacity[l] * (1 - 1e-9) && rate >= largest[l] * (1 - 1e-9);
            });
            CHECK((held || rate == c.flows[f].cap));
        }
    }
}

TEST_CASE("exchanges of a cluster end, one after another, wherever shares are equal but for rounding") {
    // Four exchanges among 16 hosts at four switches, whose uplinks carry half of what the hosts do. A host begins an
    // exchange when all that it sent in the one before has arrived. With seed 11 a solve that went on from a
    // saved state once fell below its level by rounding, and another one read beyond the flows of a link, which
    // sanitizers see.
    constexpr std::size_t hosts = 16, exchanges = 4;
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        INFO("seed " << seed);
        RandomStream random(stream_key(33, 0), seed);
        const double nic = 6.25e6 * (seed % 2 == 1 ? 1.0838299977565748 : 0.9 + 0.2 * random.uniform());
        std::vector<double> capacity(2 * hosts, nic);  // host h: 2 h up, 2 h + 1 down; switch s: 32 + 2 s, 33 + 2 s
        capacity.resize(2 * hosts + 8, 2 * nic);
        FluidNetwork network(capacity, 0);
        std::vector<std::pair<double, Link>> begins;  // when, which host
        std::vector<double> weight;
        for (Link h = 0; h < hosts; ++h) begins.emplace_back(0.02 * random.uniform(), h);
        for (Link h = 0; h < hosts; ++h) weight.push_back(0.3 + random.uniform());
        weight[1] *= seed % 3 == 0 ? 4 : 1;
        std::vector<std::size_t> left(hosts), exchange(hosts);
        std::vector<Token> ended;
        std::size_t told = 0;
        while (true) {
            const auto first = std::min_element(begins.begin(), begins.end());
            const double next = network.next(), now = first == begins.end() ? next : std::min(next, first->first);
            if (now == never) break;
            if (next > now) {
                const Link from = first->second;
                begins.erase(first);
                for (Link to = 0; to < hosts; ++to) {
                    if (from == to) continue;
                    std::vector<Link> route = {2 * from};
                    if (from / 4 != to / 4) route.insert(route.end(), {32 + 2 * (from / 4), 33 + 2 * (to / 4)});
                    route.push_back(2 * to + 1);
                    const double rows =
                        std::floor(weight[exchange[from] % 2 == 1 ? from : to] * (100 + random.below(60)));
                    network.start(now, route, 2048 * std::max(1.0, rows), never, from);
                    ++left[from];
                }
                continue;
            }
            ended.clear();
            network.advance(now, ended);
            told += ended.size();
            for (const Token from : ended)
                if (--left[from] == 0 && ++exchange[from] < exchanges)
                    begins.emplace_back(now + 0.01 * random.uniform(), from);
        }
        CHECK(told == hosts * (hosts - 1) * exchanges);
    }
}
