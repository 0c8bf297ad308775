// The law of the noise.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "support/catch.hpp"
#include "workload/gumbel.hpp"

using namespace moesim;

namespace {

// Noise of many rows, as a gate draws it: one stream a row.
std::vector<float> draw_rows(std::size_t rows, std::size_t width) {
    std::vector<float> all(rows * width, 0.0F);
    for (std::size_t r = 0; r < rows; ++r) {
        RandomStream stream(stream_key(5, 6, 7), r);
        add_gumbel(stream, std::span(all).subspan(r * width, width));
    }
    return all;
}

// Largest distance between the distribution of a sample and that of the standard Gumbel law, exp(-exp(-x)).
double distance(std::vector<float> sample) {
    std::sort(sample.begin(), sample.end());
    const auto n = static_cast<double>(sample.size());
    double most = 0;
    for (std::size_t i = 0; i < sample.size(); ++i) {
        const double law = std::exp(-std::exp(-static_cast<double>(sample[i])));
        most = std::max({most, law - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - law});
    }
    return most;
}

}  // namespace

TEST_CASE("noise has the mean, the variance and the distribution of the Gumbel law") {
    for (const std::size_t width : {std::size_t{64}, std::size_t{7}, std::size_t{300}}) {
        const std::vector<float> noise = draw_rows(2'000'000 / width, width);
        const auto n = static_cast<double>(noise.size());
        double sum = 0, squares = 0;
        for (const float g : noise)
            sum += static_cast<double>(g), squares += static_cast<double>(g) * static_cast<double>(g);
        const double mean = sum / n, variance = squares / n - mean * mean;
        const double exact = std::numbers::pi * std::numbers::pi / 6;
        INFO("rows of " << width);
        CHECK(std::abs(mean - std::numbers::egamma) < 5 * std::sqrt(exact / n));
        // Kurtosis 5.4: the variance of a squared deviation is 4.4 variance^2.
        CHECK(std::abs(variance - exact) < 5 * exact * std::sqrt(4.4 / n));
        // Kolmogorov: sqrt(n) times the distance exceeds 2.4 with probability 2 exp(-2 * 2.4^2) = 2e-5.
        CHECK(distance(noise) < 2.4 / std::sqrt(n));
    }
}

TEST_CASE("the two that share a number of the stream are independent") {
    const std::vector<float> noise = draw_rows(20'000, 64);
    const double mean = std::numbers::egamma, variance = std::numbers::pi * std::numbers::pi / 6;
    double pairs = 0, neighbours = 0;
    double both_large = 0;
    const double pairs_count = static_cast<double>(noise.size()) / 2;
    for (std::size_t i = 0; i + 2 < noise.size(); i += 2) {
        const double a = static_cast<double>(noise[i]) - mean, b = static_cast<double>(noise[i + 1]) - mean;
        pairs += a * b;
        neighbours += b * (static_cast<double>(noise[i + 2]) - mean);
        both_large += noise[i] > 2 && noise[i + 1] > 2 ? 1 : 0;
    }
    CHECK(std::abs(pairs / pairs_count) < 5 * variance / std::sqrt(pairs_count));
    CHECK(std::abs(neighbours / pairs_count) < 5 * variance / std::sqrt(pairs_count));
    const double large = 1 - std::exp(-std::exp(-2.0)), q = large * large;
    CHECK(std::abs(both_large - q * pairs_count) < 5 * std::sqrt(pairs_count * q));
}

TEST_CASE("the upper tail reaches far and the noise is finite at the ends of the unit interval") {
    // The most of n has a median of ln(n / ln 2).
    const std::vector<float> noise = draw_rows(100'000, 64);
    CHECK(*std::max_element(noise.begin(), noise.end()) > 13);
    CHECK(to_gumbel(exponential(unit_interval(0))) == Approx(25 * std::numbers::ln2));
    CHECK(to_gumbel(exponential(unit_interval(0xffffff))) == Approx(-std::log(24 * std::numbers::ln2)));
}

TEST_CASE("a row's noise does not depend on what it is added to, and the first half of a number gives the first") {
    std::vector<float> zeros(9, 0.0F), ones(9, 1.0F);
    RandomStream a(1, 2), b(1, 2), c(1, 2);
    add_gumbel(a, zeros);
    add_gumbel(b, ones);
    for (std::size_t i = 0; i < 9; ++i) CHECK(ones[i] == 1 + zeros[i]);
    CHECK(zeros[0] == gumbel(c));
    CHECK(zeros[2] == gumbel(c));
    CHECK(a.next() == b.next());
}
