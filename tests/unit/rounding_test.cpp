#include "calibrate/rounding.hpp"

#include <limits>

#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::test;

TEST_CASE("figures are kept to four digits") {
    CHECK(four_digits(1234.56) == 1235);
    CHECK(four_digits(-0.00123456) == -0.001235);
    CHECK(four_digits(0) == 0);
    // As a fit may leave a cost that nothing has.
    CHECK(four_digits(std::numeric_limits<double>::denorm_min()) == 0);
    CHECK(four_digits(std::numeric_limits<double>::min()) == 0);
    CHECK(four_digits(1e-299) == 1e-299);
}

TEST_CASE("twenty quantiles lie on straight lines between the numbers") {
    // Of 3 and 1: quantile i is 1 + 2 i / 20.
    const auto q = twenty_quantiles({3, 1});
    REQUIRE(q.size() == 21);
    CHECK(q.front() == 1);
    CHECK(q[5] == 1.5);
    CHECK(q[10] == 2);
    CHECK(q.back() == 3);
    CHECK(twenty_quantiles({7}) == std::vector<double>(21, 7));
}
