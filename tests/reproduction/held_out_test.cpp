// Fits on what they did not see, held against the bars that were set for them.
#include "calibrate/held_out_report.hpp"

#include <set>

#include "reproduction/measured.hpp"
#include "support/catch.hpp"

namespace {

// What misses its bar, by machine, operation and what was held out; moesim_held_out prints by how much.
//   L40S: DeepSeek-V3 takes 0.3 ms longer on up to 64 ranks than on 128, for the same loads; bf16 has two shapes, of
//   which
//     one alone is ever in the cache, and tells nothing of it to the other.
//   sglang: even prefills read fewer experts than they have rows for.
const std::set<std::string> known = {
    "h100-sxm: experts sglang-context-fp8, power law: all skewed loads",
    "l40s: experts vllm-bf16, balanced: model shapes in turn",
    "l40s: experts vllm-bf16, power law: all skewed loads",
    "l40s: experts vllm-fp8, balanced: model shapes in turn",
    "l40s: experts vllm-fp8, power law: all skewed loads",
};

}  // namespace

TEST_CASE("fits meet their bars on held-out rows, but for those known", "[reproduction]") {
    const auto report = moesim::held_out_report(moesim::test::measured_calls());
    if (report.empty()) {
        WARN("skipped: " << moesim::test::measured_calls() << " is not there");
        return;
    }
    for (const moesim::HeldOut& h : report) {
        INFO(moesim::text_of({h}));
        CHECK(h.met() == (known.count(h.machine + ": " + h.what + ": " + h.held_out) == 0));
    }
}

TEST_CASE("fits to experts stay as near to held-out rows as they were", "[reproduction]") {
    // Median and p90 of moesim_held_out, with a little room: a change that makes them worse has to say so here.
    struct Reached {
        const char *machine, *what;
        double median, p90;
    };
    constexpr Reached reached[] = {{"h100-sxm", "experts vllm-bf16, balanced", 0.04, 0.11},
                                   {"h100-sxm", "experts vllm-bf16, power law", 0.045, 0.125},
                                   {"h100-sxm", "experts vllm-fp8, balanced", 0.035, 0.12},
                                   {"h100-sxm", "experts vllm-fp8, power law", 0.035, 0.095},
                                   {"a100-sxm", "experts vllm-bf16, power law", 0.06, 0.15},
                                   {"l40s", "experts vllm-bf16, balanced", 0.09, 0.30}};
    const auto report = moesim::held_out_report(moesim::test::measured_calls());
    if (report.empty()) return;
    for (const Reached& r : reached) {
        std::size_t found = 0;
        for (const moesim::HeldOut& h : report) {
            if (h.machine != r.machine || h.what != r.what) continue;
            INFO(moesim::text_of({h}));
            CHECK(h.errors.median <= r.median);
            CHECK(h.errors.p90 <= r.p90);
            ++found;
        }
        CHECK(found == 1);
    }
}
