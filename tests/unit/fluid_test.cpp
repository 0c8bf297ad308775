// The fluid network in cases worked out by hand.
#include "support/catch.hpp"
#include "support/flows.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

auto exactly(double seconds) { return Approx(seconds).epsilon(1e-12); }

FlowCase::Flow flow(std::vector<FluidNetwork::Link> route, double bytes, double start = 0, double cap = fluid::never) {
    return {std::move(route), bytes, start, cap};
}

std::vector<FluidNetwork::Token> advance(FluidNetwork& network, double now) {
    std::vector<FluidNetwork::Token> ended;
    network.advance(now, ended);
    return ended;
}

}  // namespace

TEST_CASE("a full link is shared out, and what ends leaves its share to the others") {
    // Capacity 10. A (10 bytes), B (20): 5 each; A ends at 2; B has 10 left and all of the link: 3.
    CHECK(ends_by_fluid({{10}, {flow({0}, 10), flow({0}, 20)}, {}}) == std::vector<double>{2, 3});
}

TEST_CASE("a flow that another link holds back leaves the rest to its neighbours") {
    // Link 0: 10, link 1: 2. A over both, B over 0. A gets 2, B the other 8. A (4 bytes) ends at 2, B (26 bytes) has
    // then moved 16 and goes on at 10: 2 + 10 / 10 = 3.
    const auto ends = ends_by_fluid({{10, 2}, {flow({0, 1}, 4), flow({0}, 26)}, {}});
    CHECK(ends[0] == exactly(2));
    CHECK(ends[1] == exactly(3));
}

TEST_CASE("a cap holds a flow back like a link of its own") {
    // Capacity 10, A capped at 1: B gets 9. A (3 bytes): 3 s. B (36 bytes): 27 by then, the other 9 at 10: 3.9 s.
    const auto ends = ends_by_fluid({{10}, {flow({0}, 3, 0, 1), flow({0}, 36)}, {}});
    CHECK(ends[0] == exactly(3));
    CHECK(ends[1] == exactly(3.9));
}

TEST_CASE("a late start and a change of capacity take effect at their moments") {
    // Capacity 10. A (40 bytes) alone until 1: 10 moved. B (5 bytes) joins: 5 each, B ends at 2, A has 25 left. At 3, A
    // with 15 left, the capacity falls to 3: 15 / 3 = 5 s more, 8.
    const auto ends = ends_by_fluid({{10}, {flow({0}, 40), flow({0}, 5, 1)}, {{3, 0, 3}}});
    CHECK(ends[1] == exactly(2));
    CHECK(ends[0] == exactly(8));
}

TEST_CASE("a link that fails holds its flows, and moves them on when it comes back") {
    // 10 bytes at 10 would take 1 s; nothing moves from 0.5 to 2: 2.5 s.
    CHECK(ends_by_fluid({{10}, {flow({0}, 10)}, {{0.5, 0, 0}, {2, 0, 10}}})[0] == exactly(2.5));
    // And if it does not come back, nothing is ever to be expected.
    CHECK(ends_by_fluid({{10, 10}, {flow({0, 1}, 10), flow({1}, 20)}, {{0.5, 0, 0}}}) ==
          std::vector<double>{fluid::never, 2.25});
}

TEST_CASE("flows that share nothing are moved apart from each other, and together once one joins them") {
    // Links of 10. A on 0 and B on 1, 30 bytes each. At 1, C (10 bytes) over both: 5 each; C ends at 3 (2 s at 5); A
    // and B have moved 10 + 10 = 20 by then: the last 10 take 1 s: 4.
    const auto ends = ends_by_fluid({{10, 10}, {flow({0}, 30), flow({1}, 30), flow({0, 1}, 10, 1)}, {}});
    CHECK(ends[0] == exactly(4));
    CHECK(ends[1] == exactly(4));
    CHECK(ends[2] == exactly(3));
}

TEST_CASE("a cancelled flow leaves at once and is not told of") {
    // Capacity 10: A and B (20 bytes each) at 5 until A is cancelled at 2; B has 10 left: 3.
    FluidNetwork network({10}, 0);
    const FluidNetwork::Link link = 0;
    network.start(0, {&link, 1}, 20, fluid::never, 7);
    network.start(0, {&link, 1}, 20, fluid::never, 8);
    CHECK(network.next() == exactly(4));
    CHECK(network.cancel(2, 7));
    CHECK_FALSE(network.cancel(2, 99));
    CHECK(network.next() == exactly(3));
    CHECK(network.under_way() == 1);
    CHECK(advance(network, 3) == std::vector<FluidNetwork::Token>{8});
    CHECK(network.next() == fluid::never);
    CHECK(network.under_way() == 0);
}

TEST_CASE("with a tolerance ends that lie close together cost one step") {
    // A thousand flows of 1000 to 1001 bytes over one link: exactly, a thousand ends; with 1%, the spread of 0.1% is
    // one.
    FluidNetwork exact({1e6}, 0), quick({1e6}, 0.01);
    for (FluidNetwork* network : {&exact, &quick}) {
        const FluidNetwork::Link link = 0;
        for (FluidNetwork::Token f = 0; f < 1000; ++f) network->start(0, {&link, 1}, 1000 + 0.001 * f, fluid::never, f);
        double last = 0;
        while (network->next() < fluid::never) {
            last = network->next();
            advance(*network, last);
        }
        const double expected = (1000 * 1000 + 0.001 * 999 * 500) / 1e6;
        CHECK(last == Approx(expected).epsilon(network == &exact ? 1e-12 : 0.01));
    }
    CHECK(exact.steps() >= 1000);
    CHECK(quick.steps() <= 3 + 512);  // the last few are exact
    CHECK(exact.coarseness() == 0);
    CHECK(quick.coarseness() <= 0.01);
}
