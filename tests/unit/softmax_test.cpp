#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/random.hpp"
#include "support/catch.hpp"
#include "workload/softmax.hpp"

using namespace moesim;

TEST_CASE("sums, maxima and softmax agree with the plain ones at every length") {
    RandomStream random(1, 1);
    for (std::size_t n = 1; n < 70; ++n) {
        std::vector<float> values(n);
        for (float& v : values) v = static_cast<float>(8 * random.uniform() - 4);
        CHECK(largest(values) == *std::max_element(values.begin(), values.end()));
        CHECK(sum(values) == Approx(std::accumulate(values.begin(), values.end(), 0.0)).margin(1e-9));
        double all = 0;
        for (const float v : values) all += std::exp(static_cast<double>(v));
        std::vector<float> p = values;
        softmax(p);
        for (std::size_t i = 0; i < n; ++i)
            CHECK(static_cast<double>(p[i]) == Approx(std::exp(static_cast<double>(values[i])) / all).epsilon(1e-6));
    }
}

TEST_CASE("what is minus infinity has probability 0") {
    constexpr float never = -std::numeric_limits<float>::infinity();
    std::vector<float> logits = {never, 2, never, 2};
    softmax(logits);
    CHECK(logits == std::vector<float>{0, 0.5F, 0, 0.5F});
    CHECK(largest({}) == never);
    CHECK(sum({}) == 0);
}
