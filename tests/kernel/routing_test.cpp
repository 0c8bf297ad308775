// What weighs tokens against each other: experts that choose, capacity, the order of rows. All exact.
#include <algorithm>
#include <numeric>
#include <set>

#include "base/random.hpp"
#include "kernel/devices.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

std::int64_t below(RandomStream& random, std::int64_t n) { return random.below(static_cast<std::uint32_t>(n)); }

struct Shape {
    std::int64_t tokens, width, experts;
};
const std::vector<Shape> shapes = {{0, 2, 4},  {1, 1, 1},     {1, 8, 8},      {50, 2, 1},       {33, 4, 7},
                                   {64, 8, 8}, {5, 3, 2'000}, {3'000, 4, 64}, {20'000, 2, 300}, {500, 3, 20'000}};

// skew 0: every expert alike; 1: one expert gets all; otherwise few of them most. Some places are empty, by no_expert
// or by another number that is no expert's.
HostRouting random_routing(RandomStream& random, const Shape& s, int skew) {
    HostRouting r(s.tokens, s.width);
    for (std::size_t c = 0; c < r.experts.size(); ++c) {
        std::int64_t e = skew == 1 ? s.experts / 2 : below(random, s.experts);
        if (skew == 2) e = e * e / s.experts;
        if (below(random, 8) == 0 && skew != 1) e = below(random, 2) == 0 ? no_expert : s.experts;
        r.experts[c] = static_cast<ExpertIndex>(e);
        r.weights[c] = static_cast<float>(random.uniform());
    }
    return r;
}

struct Order {
    std::vector<std::int32_t> expert_rows, expert_begin, rank_rows, rank_begin, choice, slot;
    bool operator==(const Order&) const = default;
};

// Sorted by comparison.
Order sorted(const HostRouting& r, const std::vector<std::int32_t>& rank_of, std::int32_t ranks) {
    Order o;
    const auto rank = [&](std::int32_t c) {
        const ExpertIndex e = r.experts[static_cast<std::size_t>(c)];
        return e < rank_of.size() && rank_of[e] >= 0 && rank_of[e] < ranks ? rank_of[e] : -1;
    };
    const auto choices = static_cast<std::int32_t>(r.experts.size());
    for (std::int32_t c = 0; c < choices; ++c)
        if (rank(c) >= 0) o.choice.push_back(c);
    std::stable_sort(o.choice.begin(), o.choice.end(), [&](std::int32_t a, std::int32_t b) {
        return std::pair(rank(a), r.experts[static_cast<std::size_t>(a)]) <
               std::pair(rank(b), r.experts[static_cast<std::size_t>(b)]);
    });
    const auto used = static_cast<std::int32_t>(o.choice.size());
    o.slot.assign(r.experts.size(), -1);
    for (std::int32_t s = 0; s < used; ++s) o.slot[static_cast<std::size_t>(o.choice[static_cast<std::size_t>(s)])] = s;
    const auto place = [&](std::int32_t c) {
        return std::pair(rank(c), static_cast<std::size_t>(r.experts[static_cast<std::size_t>(c)]));
    };
    const auto before = [&](std::int32_t of_rank, std::size_t expert) {
        const auto first = std::partition_point(o.choice.begin(), o.choice.end(),
                                                [&](std::int32_t c) { return place(c) < std::pair(of_rank, expert); });
        return static_cast<std::int32_t>(first - o.choice.begin());
    };
    for (std::size_t e = 0; e < rank_of.size(); ++e) {
        const bool lives = rank_of[e] >= 0 && rank_of[e] < ranks;
        o.expert_begin.push_back(lives ? before(rank_of[e], e) : used);
        o.expert_rows.push_back(lives ? before(rank_of[e], e + 1) - o.expert_begin.back() : 0);
    }
    for (std::int32_t i = 0; i <= ranks; ++i) o.rank_begin.push_back(before(i, 0));
    for (std::int32_t i = 0; i < ranks; ++i) o.rank_rows.push_back(before(i + 1, 0) - before(i, 0));
    o.choice.resize(r.experts.size(), -1);
    return o;
}

Order order_on(const Device& device, const HostRouting& routing, const std::vector<std::int32_t>& rank_of,
               std::int32_t ranks) {
    const auto numbers = [&](std::size_t n) {
        return Array<std::int32_t>(*device.backend, static_cast<std::int64_t>(n));
    };
    auto expert_rows = numbers(rank_of.size()), expert_begin = numbers(rank_of.size());
    auto rank_rows = numbers(static_cast<std::size_t>(ranks)),
         rank_begin = numbers(static_cast<std::size_t>(ranks) + 1);
    auto choice = numbers(routing.experts.size()), slot = numbers(routing.experts.size());
    auto on_device = routing.on(device);
    const auto ranks_on_device = device.array(rank_of);
    device.operations().order_by_destination(
        *device.stream, on_device.view(), ranks_on_device.view(),
        {expert_rows.view(), expert_begin.view(), rank_rows.view(), rank_begin.view(), choice.view(), slot.view()});
    return {device.host(expert_rows), device.host(expert_begin), device.host(rank_rows),
            device.host(rank_begin),  device.host(choice),       device.host(slot)};
}

// Scores [token][expert], 0 of those that cannot be chosen: those of a selection of all experts.
std::vector<float> all_scores(const Device& device, Score kind, const Matrix& table, const Shape& s) {
    DeviceRouting all(device, s.tokens, s.experts);
    Selection selection;
    selection.top_k = s.experts;
    selection.score = kind;
    selection.weights = WeightRule::probability;
    device.operations().select(*device.stream, selection, table.view(), all.view());
    const HostRouting every(device, all);
    const auto experts = static_cast<std::size_t>(s.experts);
    std::vector<float> score(every.experts.size());
    for (std::size_t c = 0; c < score.size(); ++c)
        if (every.experts[c] != no_expert) score[c / experts * experts + every.experts[c]] = every.weights[c];
    return score;
}

// What tokens with these scores get, and how many choices they lose.
std::pair<HostRouting, std::int64_t> chosen(const std::vector<float>& score, const Shape& s, std::int64_t capacity) {
    const auto experts = static_cast<std::size_t>(s.experts), tokens = static_cast<std::size_t>(s.tokens),
               width = static_cast<std::size_t>(s.width);
    std::vector<std::vector<ExpertIndex>> chosen_by(tokens);
    for (std::size_t e = 0; e < experts; ++e) {
        std::vector<std::size_t> order(tokens);
        std::iota(order.begin(), order.end(), 0);
        const auto of = [&](std::size_t t) { return score[t * experts + e]; };
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return of(a) > of(b); });
        order.resize(std::min(tokens, static_cast<std::size_t>(capacity)));
        for (const std::size_t t : order)
            if (of(t) > 0) chosen_by[t].push_back(static_cast<ExpertIndex>(e));
    }
    HostRouting expected(s.tokens, s.width);
    std::int64_t lost = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
        const auto of = [&](ExpertIndex e) { return score[t * experts + e]; };
        auto& mine = chosen_by[t];
        std::stable_sort(mine.begin(), mine.end(), [&](auto a, auto b) { return of(a) > of(b); });
        if (mine.size() > width) lost += static_cast<std::int64_t>(mine.size() - width);
        for (std::size_t i = 0; i < std::min(mine.size(), width); ++i) {
            expected.experts[t * width + i] = mine[i];
            expected.weights[t * width + i] = of(mine[i]);
        }
    }
    return {expected, lost};
}

}  // namespace

TEST_CASE("rows are in the order of a stable sort by rank, then by expert") {
    for (const Shape& s : shapes)
        for (int skew = 0; skew < 3; ++skew) {
            RandomStream random(stream_key(static_cast<std::uint64_t>(skew), 95), static_cast<std::uint64_t>(s.tokens));
            const HostRouting r = random_routing(random, s, skew);
            for (const std::int32_t ranks : {1, 3, 16, 9'000}) {
                if (ranks > 16 && s.tokens != 500 && s.tokens != 33) continue;
                std::vector<std::int32_t> rank_of;
                for (std::int64_t e = 0; e < s.experts; ++e)  // some live nowhere
                    rank_of.push_back(static_cast<std::int32_t>(below(random, ranks + 2)) - 1);
                const Order expected = sorted(r, rank_of, ranks);
                for (const auto& device : devices()) {
                    INFO(device.name << ": " << s.tokens << " x " << s.width << " of " << s.experts << ", skew " << skew
                                     << ", " << ranks << " ranks");
                    REQUIRE(order_on(device, r, rank_of, ranks) == expected);
                }
            }
        }
}

TEST_CASE("capacity: of each expert's choices the first ones stay") {
    for (const auto& device : devices())
        for (const Shape& s : shapes)
            for (const int skew : {1, 2})
                for (const std::int64_t capacity : {0, 1, 3, 1'000'000}) {
                    INFO(device.name << ": " << s.tokens << " x " << s.width << " of " << s.experts << ", skew " << skew
                                     << ", at most " << capacity);
                    RandomStream random(stream_key(4, 95), static_cast<std::uint64_t>(s.tokens));
                    HostRouting expected = random_routing(random, s, skew);
                    auto on_device = expected.on(device);
                    Array<std::int32_t> load(*device.backend, s.experts);
                    device.operations().limit_load(*device.stream, capacity, on_device.view(), load.view());
                    std::vector<std::int32_t> held(static_cast<std::size_t>(s.experts));
                    for (std::size_t c = 0; c < expected.experts.size(); ++c) {
                        const ExpertIndex e = expected.experts[c];
                        if (e < s.experts && held[e] < capacity) {
                            ++held[e];
                            continue;
                        }
                        expected.experts[c] = no_expert;
                        expected.weights[c] = 0;
                    }
                    REQUIRE(HostRouting(device, on_device) == expected);
                    REQUIRE(device.host(load) == held);
                }
}

TEST_CASE("experts choose their tokens, of equal ones the earlier") {
    for (const Shape& s :
         {Shape{0, 2, 4}, {1, 1, 1}, {6, 3, 3}, {40, 8, 8}, {300, 5, 33}, {7, 2, 1'100}, {9, 4, 387}, {27, 2, 600}})
        for (const Score kind : {Score::softmax, Score::sigmoid}) {
            std::vector<float> logits = normal_numbers(7, s.tokens * s.experts);
            // Equal tokens, and experts that some tokens do not offer themselves to.
            const auto experts = static_cast<std::size_t>(s.experts), tokens = static_cast<std::size_t>(s.tokens);
            for (std::size_t t = 3; t < tokens; t += 3)
                std::copy_n(logits.begin(), experts, logits.begin() + static_cast<std::ptrdiff_t>(t * experts));
            for (std::size_t i = 0; i < logits.size(); i += 11) logits[i] = -1.0F / 0.0F;
            std::vector<float> score;
            for (const auto& device : devices()) {
                const Matrix table = device.matrix(Scalar::fp32, s.tokens, s.experts, logits);
                const auto here = all_scores(device, kind, table, s);
                if (score.empty()) score = here;
                REQUIRE(same_bits(here, score));
            }
            for (const std::int64_t capacity :
                 {std::int64_t{0}, std::int64_t{1}, s.tokens / 3 + 1, s.tokens, s.tokens + 5}) {
                const auto [expected, lost] = chosen(score, s, capacity);
                for (const auto& device : devices()) {
                    INFO(device.name << ": " << s.tokens << " tokens, " << s.experts << " experts take " << capacity);
                    const Matrix table = device.matrix(Scalar::fp32, s.tokens, s.experts, logits);
                    DeviceRouting out(device, s.tokens, s.width);
                    Array<std::int64_t> lost_on_device(*device.backend, 1);
                    device.operations().choose_tokens(*device.stream, kind, capacity, table.view(), out.view(),
                                                      lost_on_device.view());
                    REQUIRE(HostRouting(device, out) == expected);
                    REQUIRE(device.host(lost_on_device).front() == lost);
                }
            }
        }
}

TEST_CASE("of equal tokens experts choose the first ones") {
    constexpr std::int64_t tokens = 2'500, experts = 3;
    std::vector<float> logits;
    for (std::int64_t t = 0; t < tokens; ++t) logits.insert(logits.end(), {0.5F, -1.0F, 2.0F});
    for (const auto& device : devices())
        for (const std::int64_t capacity : {1, 1'023, 1'024, 1'025, 2'499}) {
            INFO(device.name << ": of " << tokens << " equal tokens " << capacity);
            const Matrix table = device.matrix(Scalar::fp32, tokens, experts, logits);
            DeviceRouting out(device, tokens, 2);
            Array<std::int64_t> lost(*device.backend, 1);
            device.operations().choose_tokens(*device.stream, Score::sigmoid, capacity, table.view(), out.view(),
                                              lost.view());
            const HostRouting found(device, out);
            for (std::int64_t t = 0; t < tokens; ++t) {
                const auto place = static_cast<std::size_t>(2 * t);
                REQUIRE(found.experts[place] == (t < capacity ? 2 : no_expert));
                REQUIRE(found.experts[place + 1] == (t < capacity ? 0 : no_expert));
            }
            REQUIRE(device.host(lost).front() == capacity);
        }
}
