// The law of expert kernels never gives less time for more: rows, tokens, widths, or a slower device.
#include <cmath>

#include "base/random.hpp"
#include "cost/expert_kernel.hpp"
#include "support/catch.hpp"
#include "support/expert_kernels.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

struct Draw {
    RandomStream random;
    double between(double low, double high) { return low * std::pow(high / low, random.uniform()); }
    std::int64_t whole(double low, double high) { return static_cast<std::int64_t>(between(low, high + 1)); }

    ExpertKernel kernel() {
        ExpertKernel k = round_kernel();
        // As kernels choose: tiles grow with the tokens, and inner loops get no shorter. Widths are whole depths of all
        // of them, as models' are: a smaller depth would round others up by less. Groups have as many rows, and tiles
        // read as many operands.
        const std::int64_t group = whole(1, 16);
        k.tiles.value = {{{}, between(0.5, 4), {}, {}, 16, 64, 64, 8 * group},
                         {whole(200, 2000), {}, {}, {}, 64, 64, 64, 2 * group},
                         {{}, {}, {}, {}, 128, 32, 32, group}};
        k.launch.value = Seconds(between(1e-6, 1e-4));
        k.step.value = Seconds(between(1e-8, 1e-6)), k.far_step.value = Seconds(between(1e-8, 1e-6));
        k.tile_rate.value = FlopsPerSecond(between(1e13, 1e15)), k.row_rate.value = FlopsPerSecond(between(1e13, 1e16));
        k.weight_rate.value = BytesPerSecond(between(5e11, 5e12));
        k.element_rate.value = BytesPerSecond(between(5e11, 5e12));
        k.cache.value = Bytes(whole(1e6, 1e8)), k.cache_gain.value = between(0.01, 5);
        k.slowdown.value = between(0.01, 1), k.slowdown_time.value = Seconds(between(1e-5, 1e-1));
        k.element_slowdown.value = between(0.01, 1), k.element_span.value = Bytes(whole(1e6, 1e9));
        k.choice_time.value = Seconds(between(1e-10, 1e-8));
        k.work_overlap.value = between(1, 8), k.overlap.value = between(1, 8);
        return k;
    }
};

}  // namespace

TEST_CASE("more rows, tokens or bytes never take an expert kernel less time", "[cost]") {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Draw draw{RandomStream(stream_key(7, 0), seed)};
        const ExpertKernel k = draw.kernel();
        INFO(seed);
        std::vector<std::int64_t> rows(static_cast<std::size_t>(draw.whole(1, 64)));
        for (std::int64_t& r : rows) r = draw.whole(1, 500) - 1;
        ExpertCall call{64 * draw.whole(2, 128),
                        64 * draw.whole(2, 128),
                        seed % 2 == 0,
                        draw.whole(1, 4000),
                        static_cast<std::int64_t>(rows.size()),
                        draw.between(1, 1e5),
                        rows};
        const double time = expert_kernel_time(k, call).value();
        REQUIRE(std::isfinite(time));
        const auto no_less = [&](const ExpertCall& more) {
            CHECK(expert_kernel_time(k, more).value() >= time * (1 - 1e-12));
        };
        ExpertCall more = call;
        more.tokens += draw.whole(1, 5000);
        no_less(more);
        more = call;
        more.element_rows *= 2;
        no_less(more);
        more = call;
        more.hidden += 64 * draw.whole(1, 8);
        no_less(more);
        more = call;
        more.inner += 64 * draw.whole(1, 8);
        no_less(more);
        std::vector<std::int64_t> fuller = rows;
        fuller[draw.random.below(static_cast<std::uint32_t>(rows.size()))] += draw.whole(1, 300);
        more = call;
        more.rows = fuller;
        no_less(more);
    }
}
