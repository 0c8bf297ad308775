#include "workload/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "support/catch.hpp"
#include "workload/measures.hpp"

using namespace moesim;

namespace {

constexpr ExpertIndex none = no_expert;

Approx near(double value) { return Approx(value).epsilon(1e-12).margin(1e-12); }

Matrix<std::int64_t> joint_of(std::size_t rows, std::size_t cols, const std::vector<std::int64_t>& counts) {
    Matrix<std::int64_t> m(rows, cols);
    for (std::size_t i = 0; i < counts.size(); ++i) m(i / cols, i % cols) = counts[i];
    return m;
}

Routing routing_of(std::size_t width, std::vector<ExpertIndex> experts, std::vector<float> gates = {}) {
    return {width, std::move(experts), std::move(gates)};
}

// Two layers of random routings over `experts`: distinct choices, some dropped; the second leans on the first.
struct TwoLayers {
    Routing first, second;
};
TwoLayers random_layers(std::uint64_t seed, std::uint32_t experts, std::size_t tokens, std::size_t top_k) {
    RandomStream random(seed, 0);
    TwoLayers l;
    for (Routing* r : {&l.first, &l.second}) {
        r->clear(tokens, top_k);
        r->gates.resize(tokens * top_k);
        for (std::size_t t = 0; t < tokens; ++t) {
            const std::uint32_t start =
                r == &l.second && random.below(2) == 0 ? l.first.experts[t * top_k] % experts : random.below(experts);
            for (std::size_t i = 0; i < top_k; ++i) {
                if (random.below(8) == 0) continue;
                r->experts[t * top_k + i] = static_cast<ExpertIndex>((start + i * i) % experts);
                r->gates[t * top_k + i] = static_cast<float>(random.uniform());
            }
        }
    }
    return l;
}

Routing rows(const Routing& all, std::size_t begin, std::size_t end) {
    const auto cut = [&](const auto& v) {
        return std::decay_t<decltype(v)>(v.begin() + static_cast<std::ptrdiff_t>(begin * all.width),
                                         v.begin() + static_cast<std::ptrdiff_t>(end * all.width));
    };
    return {all.width, cut(all.experts), cut(all.gates)};
}

RoutingStatistics fed(const TwoLayers& l, std::size_t experts, std::size_t batch, StatisticsOptions options) {
    RoutingStatistics s(2, experts, options);
    for (std::size_t at = 0; at < l.first.tokens(); at += batch) {
        const std::size_t end = std::min(at + batch, l.first.tokens());
        const Routing a = rows(l.first, at, end), b = rows(l.second, at, end);
        s.add({LayerId(0), a, nullptr, static_cast<std::int64_t>(a.experts.size()),
               std::count(a.experts.begin(), a.experts.end(), none)});
        s.add({LayerId(1), b, &a, static_cast<std::int64_t>(b.experts.size()),
               std::count(b.experts.begin(), b.experts.end(), none)});
    }
    return s;
}

}  // namespace

TEST_CASE("entropy, Gini coefficient and top tenth of loads worked out by hand") {
    // 3-1: 3/4 ln(4/3) + 1/4 ln 4 = ln 4 - 3/4 ln 3. Gini: (-1 * 1 + 1 * 3) / (2 * 4) = 1/4.
    const std::vector<double> split = {3, 1}, one = {0, 0, 0, 1}, even(8, 2.5), nothing(4, 0.0);
    CHECK(entropy(split) == near(std::log(4) - 0.75 * std::log(3)));
    CHECK(gini(split) == near(0.25));
    CHECK(entropy(one) == 0);
    CHECK_FALSE(std::signbit(entropy(one)));
    CHECK(gini(one) == near(0.75));  // (n - 1) / n
    CHECK(entropy(even) == near(std::log(8)));
    CHECK(gini(even) == near(0));
    for (const auto measure : {entropy, gini, top_tenth_share}) {
        CHECK(measure(nothing) == 0);
        CHECK(measure(std::span<const double>{}) == 0);
    }
    // 1 to 4, already out of order: (-3 * 1 - 1 * 2 + 1 * 3 + 3 * 4) / (4 * 10) = 1/4.
    CHECK(gini(std::vector<double>{3, 1, 4, 2}) == near(0.25));
    // A tenth of 10 is one expert, of 11 it is two.
    CHECK(top_tenth_share(std::vector<double>{1, 1, 1, 1, 1, 11, 1, 1, 1, 1}) == near(11.0 / 20));
    CHECK(top_tenth_share(std::vector<double>{1, 1, 1, 1, 1, 11, 1, 1, 5, 1, 1}) == near(16.0 / 25));
}

TEST_CASE("mutual information of joint distributions worked out by hand") {
    // Identical: ln 2. Independent: 0. Bias of 2 x 2 over 8 counts: 1 * 1 / 16.
    CHECK(mutual_information(joint_of(2, 2, {4, 0, 0, 4})) == near(std::log(2)));
    CHECK(miller_madow_bias(joint_of(2, 2, {4, 0, 0, 4})) == near(1.0 / 16));
    CHECK(mutual_information(joint_of(2, 2, {1, 2, 3, 6})) == near(0));
    // (3 1; 1 3) of 8, all marginals 1/2: 6/8 ln(3/8 / (1/4)) + 2/8 ln(1/8 / (1/4)) = 3/4 ln(3/2) - 1/4 ln 2.
    CHECK(mutual_information(joint_of(2, 2, {3, 1, 1, 3})) == near(0.75 * std::log(1.5) - 0.25 * std::log(2)));
    // Empty rows and columns count for nothing: two rows and three columns of 6 counts, (2 - 1)(3 - 1) / 12.
    const auto sparse = joint_of(4, 4, {1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0});
    CHECK(miller_madow_bias(sparse) == near(2.0 / 12));
    CHECK(mutual_information(sparse) == near(0));
    CHECK(mutual_information(joint_of(3, 3, {})) == 0);
    CHECK(miller_madow_bias(joint_of(3, 3, {})) == 0);
}

TEST_CASE("what chance shows is the first-order bias with many counts, and a draw's with few", "[statistics]") {
    // 3 x 3 cells with 100 counts each: 2 * 2 / (2 * 900).
    CHECK(information_of_chance(joint_of(3, 3, {100, 100, 100, 100, 100, 100, 100, 100, 100})) == near(4.0 / 1800));
    // 64 x 64 cells, one count on each place of the diagonal: ln 64 is measured. Chance pairs of 64 counts, too, mostly
    // fall in rows and columns of their own, so nearly as much is shown without any dependence.
    Matrix<std::int64_t> joint(64, 64);
    for (std::size_t i = 0; i < 64; ++i) joint(i, i) = 1;
    CHECK(mutual_information(joint) == near(std::log(64.0)));
    CHECK(information_of_chance(joint) > 2.5);
    CHECK(information_of_chance(joint) < mutual_information(joint));
    CHECK(information_of_chance(joint_of(3, 3, {})) == 0);
}

TEST_CASE("the bias estimate is what independent choices show as information") {
    // 8 x 8 over 2,000 counts: 49 / 4000 = 0.01225 nats. 2N MI is about chi-squared with 49 degrees of freedom, so the
    // mean of 200 samples has a relative standard deviation of sqrt(2 / 49 / 200) = 1.4%.
    double mean = 0;
    for (std::uint64_t sample = 0; sample < 200; ++sample) {
        RandomStream random(3, sample);
        Matrix<std::int64_t> joint(8, 8);
        for (int i = 0; i < 2000; ++i) {
            const std::uint32_t a = random.below(8);
            ++joint(a, random.below(8));
        }
        CHECK(miller_madow_bias(joint) == near(0.01225));
        mean += mutual_information(joint) / 200;
    }
    CHECK(mean == Approx(0.01225).epsilon(0.08));
}

TEST_CASE("mutual information is between nothing and the smaller entropy") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        RandomStream random(17, seed);
        Matrix<std::int64_t> joint(1 + random.below(6), 1 + random.below(6));
        for (std::size_t r = 0; r < joint.rows(); ++r)
            for (auto& n : joint.row(r)) n = random.below(2) == 0 ? 0 : random.below(20);
        std::vector<double> from(joint.rows()), into(joint.cols());
        for (std::size_t r = 0; r < joint.rows(); ++r)
            for (std::size_t c = 0; c < joint.cols(); ++c) {
                from[r] += static_cast<double>(joint(r, c));
                into[c] += static_cast<double>(joint(r, c));
            }
        const double information = mutual_information(joint);
        CHECK(information >= 0);
        CHECK(information <= std::min(entropy(from), entropy(into)) + 1e-12);
        CHECK(entropy(from) <= std::log(static_cast<double>(from.size())) + 1e-12);
        CHECK(miller_madow_bias(joint) >= 0);
    }
}

TEST_CASE("four tokens of two layers, counted by hand") {
    // Top-2 of 4 experts. First layer: loads 3 2 1 0 of 8 asked, the second choices of tokens 1 and 3 dropped.
    const Routing first = routing_of(2, {0, 1, 0, none, 1, 0, 2, none});
    // Second layer: token 1 has no expert, token 2 lost its first choice. Loads 0 2 1 2, 3 dropped.
    const Routing second =
        routing_of(2, {1, 3, none, none, none, 2, 3, 1}, {0.75F, 0.25F, 0, 0, 0, 0.5F, 0.25F, 0.25F});
    RoutingStatistics s(2, 4, {.group_tokens = 2, .transitions = true, .pair_transitions = true});
    s.add({LayerId(0), first, nullptr, 8, 2});
    s.add({LayerId(1), second, &first, 8, 3});

    const LayerStatistics a = s.layer(LayerId(0)), b = s.layer(LayerId(1));
    CHECK(a.tokens == 4);
    CHECK(a.load == std::vector<std::int64_t>{3, 2, 1, 0});
    CHECK(b.load == std::vector<std::int64_t>{0, 2, 1, 2});
    // Mean 1.5; squares 2.25 + 0.25 + 0.25 + 2.25 = 5 over 4: CV sqrt(1.25) / 1.5.
    CHECK(a.balance.balance.cv == near(std::sqrt(1.25) / 1.5));
    CHECK(a.balance.balance.max_over_mean == near(2));
    // Shares 1/2, 1/3, 1/6: 1/2 ln 2 + 1/3 ln 3 + 1/6 ln 6 = 2/3 ln 2 + 1/2 ln 3.
    CHECK(a.balance.entropy_nats == near(2.0 / 3 * std::log(2) + 0.5 * std::log(3)));
    CHECK(a.balance.entropy_share == near(a.balance.entropy_nats / std::log(4)));
    CHECK(a.balance.top_tenth_share == near(0.5));
    CHECK(a.balance.gini == near((-1.0 * 1 + 1 * 2 + 3 * 3) / (4 * 6)));
    CHECK(a.drop_rate == near(0.25));
    CHECK(b.drop_rate == near(0.375));
    CHECK(a.experts_per_token == near(1.5));
    CHECK(b.experts_per_token == near(1.25));
    CHECK(a.without_expert_share == 0);
    CHECK(b.without_expert_share == near(0.25));
    // Groups of two: {0, 1} and {0, 1, 2}; {1, 3} and {1, 2, 3}.
    CHECK(a.unique_experts_per_group.value() == near(2.5));
    CHECK(b.unique_experts_per_group.value() == near(2.5));
    CHECK_FALSE(a.gate_entropy_nats);
    // Tokens 0 (3/4, 1/4), 2 (one expert: 0) and 3 (a half each).
    CHECK(b.gate_entropy_nats.value() == near((std::log(4) - 0.75 * std::log(3) + 0 + std::log(2)) / 3));

    // First to first: 0 -> 1 and 2 -> 3; tokens 1 and 2 have no first choice in the second layer.
    CHECK_FALSE(s.transition(LayerId(0)));
    CHECK(s.first_choice_counts(LayerId(1)) == joint_of(4, 4, {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}));
    const TransitionStatistics t = s.transition(LayerId(1)).value();
    CHECK(t.tokens == 2);
    CHECK(t.mutual_information_nats == near(std::log(2)));
    CHECK(t.previous_entropy_nats == near(std::log(2)));
    CHECK(t.entropy_nats == near(std::log(2)));
    // Any to any: {0, 1} x {1, 3}, {1, 0} x {2}, {2} x {3, 1}.
    CHECK(s.pair_counts(LayerId(1)) == joint_of(4, 4, {0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0}));
}

TEST_CASE("nothing fed, nothing asked for, nothing chosen") {
    RoutingStatistics s(2, 3);
    CHECK(s.layer(LayerId(1)).experts_per_token == 0);
    CHECK_FALSE(s.layer(LayerId(1)).unique_experts_per_group);
    Routing empty = routing_of(2, {none, none, none, none});
    s.add({LayerId(1), empty, &empty, 4, 4});
    const LayerStatistics l = s.layer(LayerId(1));
    CHECK(l.balance.balance.cv == 0);
    CHECK(l.balance.entropy_share == 0);
    CHECK(l.drop_rate == 1);
    CHECK(l.without_expert_share == 1);
    CHECK(l.unique_experts_per_group.value() == 0);
    CHECK_FALSE(s.transition(LayerId(1)));  // not asked for
    CHECK(s.pair_counts(LayerId(1)).rows() == 0);
    CHECK(load_statistics(std::vector<double>{5}).entropy_share == 1);  // one expert is always even
}

TEST_CASE("what does not fit together is refused") {
    RoutingStatistics s(2, 3, {.transitions = true});
    const Routing one = routing_of(1, {2}), two = routing_of(1, {0, 1}), stranger = routing_of(1, {3});
    CHECK_THROWS_AS(s.add({LayerId(2), one}), InternalError);
    CHECK_THROWS_AS(s.add({LayerId(0), stranger}), InternalError);
    CHECK_THROWS_AS(s.add({LayerId(1), one, &two}), InternalError);
    CHECK_THROWS_AS(s.add({LayerId(1), one, &stranger}), InternalError);
    CHECK_THROWS_AS(s.add({LayerId(0), routing_of(1, {0, 1}, {1.0F})}), InternalError);
    CHECK(s.layer(LayerId(0)).tokens + s.layer(LayerId(1)).tokens == 0);
}

TEST_CASE("counts are conserved and measures keep to their bounds") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const TwoLayers l = random_layers(seed, 16, 300, 4);
        const RoutingStatistics s = fed(l, 16, 300, {.group_tokens = 8, .transitions = true, .pair_transitions = true});
        for (std::size_t i = 0; i < 2; ++i) {
            const LayerStatistics a = s.layer(LayerId(i));
            CHECK(std::accumulate(a.load.begin(), a.load.end(), std::int64_t{0}) + a.choices_dropped == 300 * 4);
            CHECK(a.balance.entropy_nats <= std::log(16) + 1e-12);
            CHECK(a.balance.entropy_share <= 1);
            CHECK(a.balance.gini >= 0);
            CHECK(a.balance.gini <= 15.0 / 16);
            CHECK(a.balance.top_tenth_share >= 2.0 / 16);
            CHECK(a.unique_experts_per_group.value() <= 16);
            CHECK(a.unique_experts_per_group.value() >= a.experts_per_token - 1);
            CHECK(a.gate_entropy_nats.value() <= std::log(4) + 1e-12);
        }
        const TransitionStatistics t = s.transition(LayerId(1)).value();
        CHECK(t.mutual_information_nats <= std::min(t.entropy_nats, t.previous_entropy_nats) + 1e-12);
        CHECK(t.mutual_information_nats >
              t.mutual_information_of_chance_nats);  // the second layer does lean on the first
        std::int64_t both = 0, pairs = 0, counted = 0;
        for (std::size_t k = 0; k < 300; ++k) {
            const auto a = l.first.token(k), b = l.second.token(k);
            both += a[0] != none && b[0] != none ? 1 : 0;
            pairs += (4 - std::count(a.begin(), a.end(), none)) * (4 - std::count(b.begin(), b.end(), none));
        }
        for (const std::int64_t n : s.pair_counts(LayerId(1)).values()) counted += n;
        CHECK(t.tokens == both);
        CHECK(counted == pairs);
    }
}

TEST_CASE("it does not matter how tokens are cut into batches") {
    const TwoLayers l = random_layers(4, 12, 500, 3);
    const StatisticsOptions options{.group_tokens = 16, .transitions = true, .pair_transitions = true};
    const RoutingStatistics whole = fed(l, 12, 500, options);
    for (const std::size_t batch : {1U, 7U, 16U, 499U}) {
        const RoutingStatistics parts = fed(l, 12, batch, options);
        for (std::size_t i = 0; i < 2; ++i) {
            const LayerStatistics a = whole.layer(LayerId(i)), b = parts.layer(LayerId(i));
            CHECK(a.load == b.load);
            CHECK(a.drop_rate == b.drop_rate);
            CHECK(a.without_expert_share == b.without_expert_share);
            CHECK(a.gate_entropy_nats == b.gate_entropy_nats);  // to the bit: summed token by token
            CHECK(a.unique_experts_per_group == b.unique_experts_per_group);
        }
        CHECK(whole.first_choice_counts(LayerId(1)) == parts.first_choice_counts(LayerId(1)));
        CHECK(whole.pair_counts(LayerId(1)) == parts.pair_counts(LayerId(1)));
    }
    // Without a group size, each batch is one group.
    CHECK(fed(l, 12, 1, {}).layer(LayerId(0)).unique_experts_per_group.value() ==
          near(fed(l, 12, 500, {}).layer(LayerId(0)).experts_per_token));
    CHECK(fed(l, 12, 500, {}).layer(LayerId(0)).unique_experts_per_group.value() == 12);
}

TEST_CASE("names of experts do not matter") {
    const TwoLayers l = random_layers(9, 12, 400, 3);
    TwoLayers renamed = l;
    for (Routing* r : {&renamed.first, &renamed.second})
        for (ExpertIndex& e : r->experts)
            if (e != none) e = static_cast<ExpertIndex>((e * 5U + (r == &renamed.first ? 3U : 7U)) % 12U);
    const StatisticsOptions options{.group_tokens = 8, .transitions = true};
    const RoutingStatistics a = fed(l, 12, 400, options), b = fed(renamed, 12, 400, options);
    for (std::size_t i = 0; i < 2; ++i) {
        const LayerStatistics x = a.layer(LayerId(i)), y = b.layer(LayerId(i));
        CHECK(x.balance.balance.cv == near(y.balance.balance.cv));
        CHECK(x.balance.entropy_nats == near(y.balance.entropy_nats));
        CHECK(x.balance.gini == near(y.balance.gini));
        CHECK(x.balance.top_tenth_share == near(y.balance.top_tenth_share));
        CHECK(x.gate_entropy_nats == y.gate_entropy_nats);
        CHECK(x.unique_experts_per_group == y.unique_experts_per_group);
        CHECK(x.experts_per_token == y.experts_per_token);
    }
    const auto t = a.transition(LayerId(1)).value(), u = b.transition(LayerId(1)).value();
    CHECK(t.mutual_information_nats == near(u.mutual_information_nats));
    CHECK(t.mutual_information_of_chance_nats == Approx(u.mutual_information_of_chance_nats).margin(0.1));  // a draw
}

TEST_CASE("a trace is counted source by source") {
    // Three tokens of two sources, two layers, top-2 of 3 experts; the last token has one choice in layer 1.
    const RoutingTrace trace{"hand", 3, 2, 2, 3, {0, 1, 2, 1, 0, 2, 2, 0, 1, 0, 0, none}, {0, 2}};
    const RoutingStatistics s = statistics_of(trace, {.transitions = true});
    CHECK(s.layer(LayerId(0)).load == std::vector<std::int64_t>{3, 2, 1});
    CHECK(s.layer(LayerId(1)).load == std::vector<std::int64_t>{2, 1, 2});
    CHECK(s.layer(LayerId(1)).choices_asked == 5);
    CHECK(s.layer(LayerId(1)).drop_rate == 0);
    CHECK(s.layer(LayerId(0)).unique_experts_per_group.value() == near(2.5));  // all three, then two
    CHECK(s.layer(LayerId(1)).unique_experts_per_group.value() == near(2));    // all three, then one
    CHECK(s.first_choice_counts(LayerId(1)) == joint_of(3, 3, {0, 0, 2, 1, 0, 0, 0, 0, 0}));
}

TEST_CASE("a table of loads tells what loads tell") {
    Matrix<double> load(2, 4, 0.25);
    load(1, 0) = 0.75, load(1, 1) = 0.25, load(1, 2) = load(1, 3) = 0;
    const auto layers = load_statistics_of({"hand", load});
    REQUIRE(layers.size() == 2);
    CHECK(layers[0].balance.cv == near(0));
    CHECK(layers[0].entropy_share == near(1));
    CHECK(layers[1].balance.max_over_mean == near(3));
    CHECK(layers[1].balance.cv == near(std::sqrt((0.25 + 0 + 2 * 0.0625) / 4) / 0.25));
    CHECK(layers[1].entropy_nats == near(std::log(4) - 0.75 * std::log(3)));
}

TEST_CASE("adjacent layers of a recorded model know of each other") {
    // deepseek-ai/ESFT, task law: [8327][26][6] of 64 experts, u1 after a header of 128 bytes.
    const auto file =
        std::filesystem::path(MOESIM_SOURCE_DIR) / "../shared/data/routing-traces/deepseek-ai__ESFT/law_topk.npy";
    std::ifstream in(file, std::ios::binary);
    if (!in) {
        WARN("no " << file << ": the recorded trace is left out");
        return;
    }
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    RoutingTrace trace{"law_topk.npy", 8327, 26, 6, 64, {}, {0}};
    REQUIRE(bytes.size() == 128 + trace.tokens * trace.layers * trace.top_k);
    for (std::size_t i = 128; i < bytes.size(); ++i)
        trace.choices.push_back(static_cast<ExpertIndex>(static_cast<unsigned char>(bytes[i])));
    const RoutingStatistics s = statistics_of(trace, {.group_tokens = 32, .transitions = true});
    for (std::size_t l = 0; l < trace.layers; ++l) {
        INFO("layer " << l);
        CHECK(s.layer(LayerId(l)).experts_per_token == 6);
        CHECK(s.layer(LayerId(l)).balance.entropy_share < 1);
        if (l == 0) continue;
        const TransitionStatistics t = s.transition(LayerId(l)).value();
        CHECK(t.tokens == 8327);
        // Shuffling the tokens of one layer leaves 0.13 to 0.22.
        CHECK(t.mutual_information_nats > 1.14);
        CHECK(t.mutual_information_nats < 1.94);
        CHECK(t.mutual_information_of_chance_nats > 0.12);
        CHECK(t.mutual_information_of_chance_nats < 0.23);
    }
    // Counted once more by a program of its own: a typical pair, the most and the least dependent.
    for (const auto& [into, nats] : std::vector<std::pair<std::size_t, double>>{{1, 1.7262}, {3, 1.9373}, {23, 1.1437}})
        CHECK(s.transition(LayerId(into)).value().mutual_information_nats == Approx(nats).margin(5e-5).epsilon(0));
}
