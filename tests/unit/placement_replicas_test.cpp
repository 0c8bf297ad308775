#include "base/error.hpp"
#include "placement/placement.hpp"
#include "support/catch.hpp"

using namespace moesim;

// Two layers of two experts on three positions: layer 0 has expert 0 on positions 2 and 0, layer 1 has expert 1 twice
// on position 2.
TEST_CASE("placement: copies of an expert are in ascending order, and take memory each") {
    const Placement p({{{2, 0}, {1}}, {{0}, {2, 2}}}, 3);
    CHECK(p.replicated());
    CHECK(p.layers() == 2);
    CHECK(p.experts() == 2);
    const auto copies = p.replicas(LayerId(0), 0);
    CHECK(std::vector<std::uint32_t>(copies.begin(), copies.end()) == std::vector<std::uint32_t>{0, 2});
    CHECK(p.position(LayerId(0), 0) == 0);
    CHECK(p.experts_at(0) == 2);
    CHECK(p.experts_at(1) == 1);
    CHECK(p.experts_at(2) == 3);
}

TEST_CASE("placement: an expert nowhere or out of range is refused") {
    CHECK_THROWS_AS(Placement({{{}}}, 2), InternalError);
    CHECK_THROWS_AS(Placement({{{2}}}, 2), InternalError);
}
