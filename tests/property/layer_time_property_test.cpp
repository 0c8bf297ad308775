// Layer times kept up step by step, and searched, on random small cases.
#include <algorithm>

#include "base/random.hpp"
#include "planner/free_slots.hpp"
#include "planner/layer_time_search.hpp"
#include "planner/layer_time_state.hpp"
#include "support/cases.hpp"
#include "support/catch.hpp"
#include "support/layer_time_cases.hpp"

using namespace moesim;
using namespace moesim::test;

TEST_CASE("a layer's time after many changes is that of the placement they lead to") {
    for (std::uint64_t number = 0; number < test::cases(200); ++number) {
        INFO("case " << number);
        const LayerTimeCase c = layer_time_case(number);
        const std::size_t positions = c.problem.positions.count();
        const LayerTimeModel model(c.problem.workload, c.scenario, c.fabric, 1 + number * 2);
        const Placement start = slotted_placement(c.problem, number, true);
        LayerTimeState state(model, LayerId(0), copies_of(start, LayerId(0)));
        auto copies = copies_of(start, LayerId(0));
        RandomStream random(stream_key(33, 0), number);
        for (int step = 0; step < 20; ++step) {
            auto next = copies;
            for (std::uint32_t change = random.below(3); change-- > 0;) {
                const std::size_t e = random.below(static_cast<std::uint32_t>(next.size()));
                next[e].assign(1 + random.below(3), 0);
                for (auto& p : next[e]) p = random.below(static_cast<std::uint32_t>(positions));
                std::sort(next[e].begin(), next[e].end());
                state.set(e, next[e]);
            }
            if (random.below(3) > 0) state.value();
            if (random.below(2) == 0) {
                state.undo();
            } else {
                state.value();
                state.keep();
                copies = next;
            }
            CHECK(state.all_copies() == copies);
        }
        const Placement end({copies}, positions);
        CHECK(state.value().time == Approx(model.time(end, LayerId(0)).total.value()).epsilon(1e-9));
    }
}

TEST_CASE("a search on layer times is no worse than any start, keeps the slots, and its bound is one") {
    for (std::uint64_t number = 0; number < test::cases(120); ++number) {
        INFO("case " << number);
        const LayerTimeCase c = layer_time_case(number);
        const std::vector<Placement> starts = {slotted_placement(c.problem, number, false),
                                               slotted_placement(c.problem, number + 1000, true)};
        const LayerTimeModel model(c.problem.workload, c.scenario, c.fabric);
        double shown = 1e300;
        Effort effort;
        effort.seed = number;
        effort.iterations = 3000;
        const auto plan = [&](const SearchProgress& progress) {
            return layer_time_plan(c.problem, c.scenario, c.fabric, starts, effort, progress);
        };
        const PlannerResult r = plan([&](double value, std::optional<double> bound) {
            CHECK(value <= shown);
            CHECK(bound.value() <= value * (1 + 1e-9));
            shown = value;
        });
        CHECK(r.value == shown);
        CHECK(r.value == Approx(model.mean_time(r.placement).value()).epsilon(1e-9));
        for (const Placement& s : starts) CHECK(r.value <= model.mean_time(s).value() * (1 + 1e-9));
        for (std::size_t l = 0; l < c.problem.workload.layers; ++l) {
            std::vector<std::size_t> held(c.problem.positions.count());
            for (const auto& copies : copies_of(r.placement, LayerId(l)))
                for (const std::uint32_t p : copies) ++held[p];
            CHECK(*std::max_element(held.begin(), held.end()) <= c.problem.slots);
        }
        if (number % 10 == 0) CHECK(plan({}).placement == r.placement);
    }
}

TEST_CASE("a search on layer times keeps to the memory of positions") {
    for (std::uint64_t number = 0; number < test::cases(40); ++number) {
        INFO("case " << number);
        LayerTimeCase c = layer_time_case(number);
        const Placement start = slotted_placement(c.problem, number, false);
        std::size_t most = 0;
        for (std::size_t p = 0; p < c.problem.positions.count(); ++p) most = std::max(most, start.experts_at(p));
        c.problem.expert_bytes = Bytes(10);
        c.problem.memory = Bytes(static_cast<std::int64_t>(most) * 10 + 9);
        Effort effort;
        effort.iterations = 2000;
        const Placement found = layer_time_plan(c.problem, c.scenario, c.fabric, {start}, effort).placement;
        for (std::size_t p = 0; p < c.problem.positions.count(); ++p) CHECK(found.experts_at(p) <= most);
    }
}

TEST_CASE("free slots are filled, where there is memory, by copies that keep the ones before") {
    for (std::uint64_t number = 0; number < test::cases(60); ++number) {
        INFO("case " << number);
        LayerTimeCase c = layer_time_case(number);
        const std::size_t positions = c.problem.positions.count(), layers = c.problem.workload.layers;
        const LayerTimeModel model(c.problem.workload, c.scenario, c.fabric);
        const Placement start = slotted_placement(c.problem, number, false);
        const Placement full = with_full_slots(c.problem, model, start);
        for (std::size_t l = 0; l < layers; ++l) {
            std::vector<std::size_t> held(positions);
            for (std::size_t e = 0; e < start.experts(); ++e) {
                const auto before = start.replicas(LayerId(l), e), now = full.replicas(LayerId(l), e);
                CHECK(std::includes(now.begin(), now.end(), before.begin(), before.end()));
                for (const std::uint32_t p : now) ++held[p];
            }
            const bool fits = c.problem.slots <= start.experts();  // no second copy of an expert in one place
            if (fits) CHECK(held == std::vector<std::size_t>(positions, c.problem.slots));
        }
        c.problem.expert_bytes = Bytes(10);
        c.problem.memory = Bytes(static_cast<std::int64_t>(layers * c.problem.slots) * 10 - 1);
        CHECK(with_full_slots(c.problem, model, start) == start);
    }
}
