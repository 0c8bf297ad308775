// The closed form of a layer's time, by hand and against the simulation, and the search on it against brute force.
#include <algorithm>

#include "base/error.hpp"
#include "base/random.hpp"
#include "planner/layer_time_search.hpp"
#include "study/routing_of.hpp"
#include "support/catch.hpp"
#include "support/layer_time_cases.hpp"
#include "support/scenarios.hpp"
#include "support/simulation.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// 16 tokens on 4 GPUs with an expert each: token i goes to expert i mod 4.
std::vector<ExpertIndex> even_choices() {
    std::vector<ExpertIndex> all;
    for (std::size_t t = 0; t < 16; ++t) all.push_back(static_cast<ExpertIndex>(t % 4));
    return all;
}

LayerTime time_of(const Scenario& s, const std::vector<std::uint32_t>& place) {
    const Fabric fabric = build_fabric(s.topology);
    const PlannerProblem p = problem_of(s, fabric, even_choices(), 1);
    Matrix<std::uint32_t> table(1, place.size());
    std::copy(place.begin(), place.end(), table.row(0).begin());
    return LayerTimeModel(p.workload, s, fabric).time(Placement(table, place.size()), LayerId(0));
}

}  // namespace

// Each GPU has 4 tokens, one for each expert: 3 rows of 64 x 2 bytes leave it at 1 GB/s: 0.384 us, and as much back.
// Its expert computes 4 rows: 4 x 128 x 64 x 2 flops at 1 TFLOP/s = 65.536 ns, the activation moves 4 x 64 x 3 x 2
// bytes at 1 TB/s = 1.536 ns, and 4 x 64 x 64 x 2 flops take 32.768 ns: 99.84 ns.
TEST_CASE("one layer on one switch, evenly routed") {
    const LayerTime t = time_of(tiny(4, 16), {0, 1, 2, 3});
    CHECK(t.dispatch.value() == is(0.384e-6));
    CHECK(t.expert.value() == is(99.84e-9));
    CHECK(t.back.value() == is(0.384e-6));
    CHECK(t.total.value() == is(0.86784e-6));
    // All copies are alike here, and so are all placements.
    CHECK(time_of(tiny(4, 16), {3, 1, 0, 2}).total.value() == is(0.86784e-6));
}

// Half as wide on the way out: 0.192 us. Twice the tokens in two micro-batches, one after the other: twice the time.
TEST_CASE("formats and micro-batches of a layer's time") {
    Scenario s = tiny(4, 32);
    s.dispatch.dtype = Dtype::fp8;
    s.schedule.micro_batches = 2;
    const LayerTime t = time_of(s, {0, 1, 2, 3});
    CHECK(t.dispatch.value() == is(0.192e-6));
    CHECK(t.total.value() == is(2 * (0.192e-6 + 99.84e-9 + 0.384e-6)));
}

// The same 16 tokens four times over in four chunks: parts of 16 tokens, each as in the first case, of which the
// dispatch (or return) is the slowest: 0.86784 + 3 x 0.384 us.
TEST_CASE("chunks overlap in a layer's time") {
    Scenario s = tiny(4, 64);
    s.schedule.chunks = 4;
    CHECK(time_of(s, {0, 1, 2, 3}).total.value() == is(0.86784e-6 + 3 * 0.384e-6));
}

// Two micro-batches of 16 tokens that take turns. The network moves 2 x (0.384 + 0.384) us and hides what is computed:
// 4 tokens of a GPU take it well below 0.7 us a micro-batch. At a thousandth of the computing speed it is the other way
// round: 2 x (a + x), where x is 4 x 128 x 64 x 2 and 4 x 64 x 64 x 2 flops at 1 GFLOP/s and 1.536 ns of activation.
TEST_CASE("interleaved micro-batches hide what is shorter") {
    Scenario s = tiny(4, 32);
    s.schedule.micro_batches = 2;
    s.schedule.order = Order::interleaved;
    CHECK(time_of(s, {0, 1, 2, 3}).total.value() == is(2 * (0.384e-6 + 0.384e-6)));
    s.profile.peak_bf16->value = FlopsPerSecond(1e9);
    const StageCost cost(s);
    const Seconds a = cost.gate(4) + cost.select(4) + cost.residual(4);
    const double x = 65.536e-6 + 1.536e-9 + 32.768e-6;
    CHECK(time_of(s, {0, 1, 2, 3}).total.value() == is(2 * (a.value() + x)));
}

// Two data indices of two tensor ranks each, on four nodes of one GPU, the ranks of an index under one leaf. 8 tokens,
// 4 an index, 2 of them for the other one's expert: 2 rows of 128 bytes from each of two ranks, which share an uplink
// of 0.05 GB/s: 512 bytes in 10.24 us. With two such indices more, which are a group of their own on leaves of their
// own, and twice the tokens, nothing changes.
TEST_CASE("ranks share the uplinks of a layer's time") {
    for (const std::int64_t groups : {1, 2}) {
        Scenario s = tiny(4 * groups, 8 * groups);
        s.topology = small_tree(4 * groups, 1);
        s.topology.nodes_per_leaf = 2;
        s.topology.uplink.bandwidth = BytesPerSecond(0.05e9);
        s.model.experts = 2;
        s.parallelism = {2 * groups, 2, 2};
        const Fabric fabric = build_fabric(s.topology);
        std::vector<ExpertIndex> choices;
        for (std::size_t t = 0; t < 8; ++t) choices.push_back(static_cast<ExpertIndex>(t % 2));
        const PlannerProblem p = problem_of(s, fabric, choices, 1);
        Matrix<std::uint32_t> place(1, 2);
        place(0, 1) = 1;
        const LayerTime t = LayerTimeModel(p.workload, s, fabric).time(Placement(place, 2), LayerId(0));
        CHECK(t.dispatch.value() == is(10.24e-6));
    }
}

TEST_CASE("a layer's time is what the simulation has under the bound model") {
    for (const std::int64_t gpus : {2, 4, 8})
        for (const Dedup dedup : {Dedup::none, Dedup::rank}) {
            Scenario s = tiny(gpus, gpus * 64);
            s.model.experts = gpus * 2;
            s.model.top_k = 2;
            s.dispatch.dedup = dedup;
            s.network.model = NetworkKind::bound;
            const auto trace = std::make_shared<const RoutingTrace>(record(s, "test", {}));
            const Fabric fabric = build_fabric(s.topology);
            const WorkloadCounts counts = workload_counts(trace);
            const Placement placement = make_placement(s.placement, s.model, s.parallelism);
            const LayerTime t = LayerTimeModel(counts, s, fabric).time(placement, LayerId(0));
            const auto document = simulate_document(s);
            CHECK(t.dispatch.value() == Approx(stage_value(document, "dispatch", "slowest_s")).epsilon(1e-3));
            CHECK(t.expert.value() == Approx(stage_value(document, "expert", "slowest_s")).epsilon(1e-6));
            CHECK(t.back.value() == Approx(stage_value(document, "return", "slowest_s")).epsilon(0.2));
        }
}

TEST_CASE("a search on layer times finds the best of all placements of a tiny case") {
    for (std::uint64_t number = 0; number < 12; ++number) {
        INFO("case " << number);
        Scenario s = tiny(3, 90);
        s.model.experts = 6;
        s.model.top_k = 2;
        const Fabric fabric = build_fabric(s.topology);
        RandomStream random(stream_key(34, 0), number);
        std::vector<ExpertIndex> choices;
        for (int t = 0; t < 90; ++t) {
            const std::uint32_t a = std::min(random.below(6), random.below(6)), b = (a + 1 + random.below(5)) % 6;
            choices.push_back(static_cast<ExpertIndex>(a));
            choices.push_back(static_cast<ExpertIndex>(b));
        }
        const PlannerProblem p = problem_of(s, fabric, choices, 2);
        const LayerTimeModel model(p.workload, s, fabric);
        Matrix<std::uint32_t> table(1, 6);
        std::vector<std::uint32_t> place = {0, 0, 1, 1, 2, 2};
        std::copy(place.begin(), place.end(), table.row(0).begin());
        const Placement start(table, 3);
        double least = 1e300;
        do {
            std::copy(place.begin(), place.end(), table.row(0).begin());
            least = std::min(least, model.time(Placement(table, 3), LayerId(0)).total.value());
        } while (std::next_permutation(place.begin(), place.end()));
        Effort effort;
        effort.iterations = 4000;
        const PlannerResult r = layer_time_plan(p, s, fabric, {start}, effort);
        CHECK(r.value == is(least));
        CHECK(*r.bound <= least);
    }
}

namespace {

LayerTime bound_of(const Scenario& s, const std::vector<ExpertIndex>& choices, std::size_t slots) {
    const Fabric fabric = build_fabric(s.topology);
    const PlannerProblem p = problem_of(s, fabric, choices, slots);
    return LayerTimeModel(p.workload, s, fabric).bound(LayerId(0), slots);
}

}  // namespace

// The first case again: whatever its place, each expert has 3 rows from other GPUs, 12 in all, 3 a link: 0.384 us. With
// a slot more, each GPU may have two of the four experts that its tokens go to: 2 rows a link. Experts compute 4 rows
// each, or, shared out, 16 less half a row for each of 8 slots that rounding may have taken: 3 a GPU, as in 74.88 ns.
TEST_CASE("a bound on layer times, by hand") {
    const LayerTime one = bound_of(tiny(4, 16), even_choices(), 1);
    CHECK(one.dispatch.value() == is(0.384e-6));
    CHECK(one.expert.value() == is(99.84e-9));
    CHECK(one.back.value() == is(0.384e-6));
    CHECK(one.total.value() == is(0.86784e-6));
    const LayerTime two = bound_of(tiny(4, 16), even_choices(), 2);
    CHECK(two.dispatch.value() == is(0.256e-6));
    CHECK(two.expert.value() == is(74.88e-9));
}

// Two GPUs with four tokens each, every other one for experts 0 and 1, the others for 2 and 3. A token's row is sent
// once for both, where they are together: 2 rows of 128 bytes leave each GPU in 0.256 us. Without dedup
// there are twice as many.
TEST_CASE("a bound on layer times counts rows that experts share") {
    Scenario s = tiny(2, 8);
    s.model.experts = 4;
    s.model.top_k = 2;
    s.dispatch.dedup = Dedup::rank;
    std::vector<ExpertIndex> pairs;
    for (int t = 0; t < 8; ++t)
        for (const int e : {0, 1}) pairs.push_back(static_cast<ExpertIndex>(2 * (t % 2) + e));
    CHECK(bound_of(s, pairs, 2).dispatch.value() == is(0.256e-6));
    s.dispatch.dedup = Dedup::none;
    CHECK(bound_of(s, pairs, 2).dispatch.value() == is(0.512e-6));
}

// One of four GPUs at half its speed: without room for copies it has an expert of four rows, and takes twice as long as
// others.
TEST_CASE("a bound on layer times knows a slow GPU") {
    Scenario s = tiny(4, 16);
    s.stragglers = {{RankId(1), 0.5, Seconds{}, std::nullopt}};
    CHECK(bound_of(s, even_choices(), 1).expert.value() == is(2 * 99.84e-9));
    CHECK(time_of(s, {0, 1, 2, 3}).expert.value() == is(2 * 99.84e-9));
}

// Who computes at the same time is not known here, and how much there is to compute is the same wherever experts are:
// so that bounds are some, ranks that share cores take what they take alone.
TEST_CASE("layer times take no other rank to be on shared cores") {
    Scenario s = tiny(4, 16);
    s.shared_cores = {{{RankId(0), RankId(1), RankId(3)}, 2}};
    CHECK(bound_of(s, even_choices(), 1).expert.value() == is(99.84e-9));
    CHECK(time_of(s, {0, 1, 2, 3}).expert.value() == is(99.84e-9));
}

// Slow from 2 to 20 ms at a half: from 0 to 4 ms it loses half of 2 of 4, later on half of everything, in the end
// nothing.
TEST_CASE("a straggler's mean speed in a while") {
    const StragglerSpec s{RankId(0), 0.5, Seconds(2e-3), Seconds(20e-3)};
    CHECK(mean_speed(s, Seconds(0), Seconds(4e-3)) == is(0.75));
    CHECK(mean_speed(s, Seconds(4e-3), Seconds(8e-3)) == is(0.5));
    CHECK(mean_speed(s, Seconds(18e-3), Seconds(22e-3)) == is(0.75));
    CHECK(mean_speed(s, Seconds(20e-3), Seconds(30e-3)) == is(1));
    CHECK(mean_speed({RankId(0), 0.5, Seconds(0), std::nullopt}, Seconds(1), Seconds(2)) == is(0.5));
    CHECK(mean_speed({RankId(0), 0.5, Seconds(0), std::nullopt}, Seconds(0), Seconds(0)) == is(0.5));
}

TEST_CASE("a search on layer times wants starts that fit") {
    const Scenario s = tiny(4, 16);
    const Fabric fabric = build_fabric(s.topology);
    const PlannerProblem p = problem_of(s, fabric, even_choices(), 1);
    CHECK_THROWS_AS(layer_time_plan(p, s, fabric, {}, {}), InputError);
    CHECK_THROWS_AS(layer_time_plan(p, s, fabric, {Placement(Matrix<std::uint32_t>(1, 4), 2)}, {}), InputError);
    CHECK_THROWS_AS(layer_time_plan(p, s, fabric, {Placement(Matrix<std::uint32_t>(2, 4), 4)}, {}), InputError);
}
