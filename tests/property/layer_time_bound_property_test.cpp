// No placement is faster than the bound on any: against all placements of small cases, and many of larger ones.
#include <algorithm>
#include <functional>

#include "base/random.hpp"
#include "planner/layer_time.hpp"
#include "planner/traffic_bound.hpp"
#include "support/cases.hpp"
#include "support/catch.hpp"
#include "support/layer_time_cases.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

using Copies = std::vector<std::vector<std::uint32_t>>;  // [expert]

// All ways to give each expert one position or more, at most `slots` experts at each.
void for_all_placements(std::size_t experts, std::size_t positions, std::size_t slots,
                        const std::function<void(const Placement&)>& see) {
    Copies copies(experts);
    std::vector<std::size_t> held(positions);
    const std::function<void(std::size_t)> go = [&](std::size_t e) {
        if (e == experts) return see(Placement({copies}, positions));
        for (std::uint32_t set = 1; set < 1U << positions; ++set) {
            bool room = true;
            copies[e].clear();
            for (std::uint32_t p = 0; p < positions; ++p)
                if ((set >> p & 1) != 0) {
                    room = room && held[p] < slots;
                    copies[e].push_back(p);
                }
            if (!room) continue;
            const std::vector<std::uint32_t> here = copies[e];
            for (const std::uint32_t p : here) ++held[p];
            go(e + 1);
            copies[e] = here;
            for (const std::uint32_t p : here) --held[p];
        }
    };
    go(0);
}

void check_bound(const LayerTimeModel& model, const Placement& placement, LayerId layer, const LayerTime& bound) {
    const LayerTime t = model.time(placement, layer);
    CHECK(bound.dispatch.value() <= t.dispatch.value());
    CHECK(bound.expert.value() <= t.expert.value());
    CHECK(bound.back.value() <= t.back.value());
    CHECK(bound.total.value() <= t.total.value());
}

void slow_some(Scenario& s, RandomStream& random) {
    if (random.below(2) == 0) return;
    StragglerSpec straggler;
    straggler.rank = RankId(random.below(static_cast<std::uint32_t>(s.parallelism.data * s.parallelism.tensor)));
    straggler.speed = 0.2 + 0.7 * random.uniform();
    s.stragglers = {straggler};
}

}  // namespace

TEST_CASE("a bound on layer times holds for placements of all kinds") {
    for (std::uint64_t number = 0; number < test::cases(150); ++number) {
        INFO("case " << number);
        LayerTimeCase c = layer_time_case(number);
        RandomStream random(stream_key(35, 0), number);
        slow_some(c.scenario, random);
        const LayerTimeModel model(c.problem.workload, c.scenario, c.fabric);
        for (std::size_t l = 0; l < c.problem.workload.layers; ++l) {
            const LayerTime bound = model.bound(LayerId(l), c.problem.slots);
            for (std::uint64_t i = 0; i < 6; ++i)
                check_bound(model, slotted_placement(c.problem, 100 * number + i, i % 2 == 0), LayerId(l), bound);
        }
    }
}

// Two nodes of two GPUs, or as the random scenario has it; two experts or three of few a position.
TEST_CASE("the best of all placements is no faster than the bound, and often not much slower") {
    std::size_t near = 0, cases = 0;
    for (std::uint64_t number = 0; number < test::cases(400) && cases < 40; ++number) {
        INFO("case " << number);
        LayerTimeCase c = layer_time_case(number);
        const std::size_t positions = c.problem.positions.count(), experts = c.problem.workload.experts;
        c.problem.slots = (experts + positions - 1) / positions + (number % 4 == 0 ? 1 : 0);
        double ways = 1;
        for (std::size_t e = 0; e < experts; ++e) ways *= c.problem.slots * positions > experts ? 7 : double(positions);
        if (positions < 2 || positions > 4 || ways > 2e4) continue;
        ++cases;
        RandomStream random(stream_key(36, 0), number);
        slow_some(c.scenario, random);
        const LayerTimeModel model(c.problem.workload, c.scenario, c.fabric);
        const LayerTime bound = model.bound(LayerId(0), c.problem.slots);
        double least = 1e300;
        std::size_t seen = 0;
        for_all_placements(experts, positions, c.problem.slots, [&](const Placement& placement) {
            if (++seen > 4000) return;
            check_bound(model, placement, LayerId(0), bound);
            least = std::min(least, model.time(placement, LayerId(0)).total.value());
        });
        REQUIRE(seen > 0);
        near += bound.total.value() > 0.75 * least ? 1 : 0;
    }
    REQUIRE(cases == 40);
    CHECK(near >= cases / 2);
}
