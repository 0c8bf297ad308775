// All cores or one: the same routing.
#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "workload/route_stream.hpp"

using namespace moesim;
using namespace moesim::test;

TEST_CASE("sources that are routed on all cores choose as they do one after another") {
    std::size_t with_several = 0;
    for (std::uint64_t number = 0; number < 60; ++number) {
        const Scenario s = random_scenario(number);
        const std::shared_ptr<const RoutingPolicy> policy = make_policy(s);
        RouteStream alone(s, policy), together(s, policy);
        with_several += alone.sources() > 1 ? 1 : 0;
        for (std::size_t m = 0; m < static_cast<std::size_t>(s.schedule.micro_batches); ++m)
            for (std::size_t l = 0; l < static_cast<std::size_t>(s.model.moe_layers); ++l) {
                const RouteStream::Step step = together.next_of_all(LayerId(l), m);
                Limited sum;
                for (std::size_t d = 0; d < alone.sources(); ++d) {
                    Routing sent;
                    const Limited limited = alone.next(LayerId(l), m, d, sent);
                    sum.chosen += limited.chosen;
                    sum.dropped += limited.dropped;
                    REQUIRE(step.sent[d].experts == sent.experts);
                    REQUIRE(step.sent[d].width == sent.width);
                }
                REQUIRE(step.limited.chosen == sum.chosen);
                REQUIRE(step.limited.dropped == sum.dropped);
            }
    }
    CHECK(with_several > 20);
}
