#include "config/quantity.hpp"

#include "support/catch.hpp"

using namespace moesim;

TEST_CASE("quantities are read in their unit") {
    // 400 Gbit/s = 400e9 / 8 B/s; 4 MiB = 4 * 2^20 B; GB is 1e9.
    CHECK(parse_quantity("400Gbit/s", Dimension::bandwidth) == 50e9);
    CHECK(parse_quantity("50GB/s", Dimension::bandwidth) == 50e9);
    CHECK(parse_quantity("4MiB", Dimension::bytes) == 4194304.0);
    CHECK(parse_quantity("1 GB", Dimension::bytes) == 1e9);
    CHECK(parse_quantity("2us", Dimension::time) == 2e-6);
    CHECK(parse_quantity("1.15us", Dimension::time) == 1.15e-6);
    CHECK(parse_quantity("989.4TFLOP/s", Dimension::flop_rate) == 989.4e12);
}

TEST_CASE("what is no quantity of the dimension is refused") {
    for (const char* text :
         {"", "us", "2", "2 furlongs", "2GB", "0x2us", "nanus", "infus", "1e400us", "2us ", " 2us", "2e", "--2us"})
        CHECK_FALSE(parse_quantity(text, Dimension::time));
}

TEST_CASE("a written quantity reads back to the same double") {
    for (const double v : {0.1, 1.0 / 3, 4.5e11, 85899345920.0, 1.15e-6, 0.0})
        CHECK(parse_quantity(format_quantity(v, Dimension::time), Dimension::time) == v);
}
