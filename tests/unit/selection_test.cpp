#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.hpp"
#include "support/catch.hpp"
#include "workload/alias_table.hpp"
#include "workload/topk.hpp"

using namespace moesim;

TEST_CASE("selection takes the largest, and of equal ones the lower id") {
    const std::vector<float> logits = {1, 3, 2, 3, 3, 0};
    std::vector<ExpertIndex> chosen(4);
    select_topk(logits, chosen);
    CHECK(chosen == std::vector<ExpertIndex>{1, 3, 4, 2});
    const std::vector<float> equal(6, 7.0F);
    std::vector<ExpertIndex> all(6);
    select_topk(equal, all);
    CHECK(all == std::vector<ExpertIndex>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("what is minus infinity is not selected") {
    constexpr float never = -std::numeric_limits<float>::infinity();
    std::vector<ExpertIndex> chosen(3);
    select_topk(std::vector<float>{never, 1, never, 2}, chosen);
    CHECK(chosen == std::vector<ExpertIndex>{3, 1, no_expert});
    std::vector<float> many(64, never);
    many[40] = -5;
    std::vector<ExpertIndex> all(64);
    select_topk(many, all);
    CHECK(all[0] == 40);
    CHECK(std::count(all.begin(), all.end(), no_expert) == 63);
}

TEST_CASE("selection agrees with a stable sort") {
    RandomStream random(1, 1);
    for (int round = 0; round < 500; ++round) {
        std::vector<float> logits(1 + random.below(40));
        for (float& l : logits) l = static_cast<float>(random.below(8));  // many ties
        std::vector<ExpertIndex> order(logits.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<ExpertIndex>(i);
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
        std::vector<ExpertIndex> chosen(1 + random.below(static_cast<std::uint32_t>(logits.size())));
        select_topk(logits, chosen);
        order.resize(chosen.size());
        CHECK(chosen == order);
    }
}

TEST_CASE("selection among many agrees with a stable sort, with ties and with some taken out") {
    constexpr float never = -std::numeric_limits<float>::infinity();
    RandomStream random(2, 1);
    for (int round = 0; round < 2000; ++round) {
        std::vector<float> logits(32 + random.below(round % 10 == 0 ? 1200 : 100));
        const std::uint32_t values = round % 2 == 0 ? 20 : 1'000'000, gone = random.below(4) == 0 ? 40 : 2;
        for (float& l : logits) l = random.below(42) < gone ? never : static_cast<float>(random.below(values)) - 10;
        std::vector<ExpertIndex> order;
        for (std::size_t i = 0; i < logits.size(); ++i)
            if (logits[i] != never) order.push_back(static_cast<ExpertIndex>(i));
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
        std::vector<ExpertIndex> chosen(1 + random.below(20));
        select_topk(logits, chosen);
        order.resize(chosen.size(), no_expert);
        REQUIRE(chosen == order);
    }
}

TEST_CASE("an alias table draws in proportion to the weights and never what has none") {
    const std::vector<double> weights = {0, 5, 0, 1, 2, 0};
    const AliasTable table(weights);
    RandomStream random(7, 0);
    std::vector<double> counts(weights.size());
    constexpr int draws = 400'000;
    for (int i = 0; i < draws; ++i) ++counts[table.draw(random)];
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const double p = weights[i] / 8;
        if (p == 0) CHECK(counts[i] == 0);
        // five standard deviations of a binomial count
        CHECK(std::abs(counts[i] - p * draws) <= 5 * std::sqrt(draws * p * (1 - p)));
    }
}
