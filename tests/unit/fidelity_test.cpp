// A fitted workload model against tokens that it was not fitted to.
#include <fmt/format.h>

#include <filesystem>
#include <variant>

#include "config/trace/read_trace.hpp"
#include "planner/affinity_placement.hpp"
#include "study/fidelity.hpp"
#include "support/catch.hpp"

using namespace moesim;

namespace {

namespace fs = std::filesystem;

// A recorded trace from beside the repository; nothing where it is not there.
std::optional<RoutingTrace> recorded(const std::string& name) {
    const fs::path file = fs::path(MOESIM_SOURCE_DIR) / "../shared/data/routing-traces" / name;
    if (!fs::exists(file)) {
        WARN("skipped: " << file << " is not here");
        return std::nullopt;
    }
    return std::get<RoutingTrace>(read_trace(file, {}));
}

void check_bars(const std::string& name) {
    const auto trace = recorded(name);
    if (!trace) return;
    const HeldOut h = hold_out(*trace, {});
    const auto show = [&](const char* what, const Fidelity& f) {
        fmt::print(
            "{:<26} {:<16} CV worst {:.3f} mean {:.3f}, MI worst {:.3f} mean {:.3f}, adjacent {:.3f} {:.3f}, "
            "dispatch {:.3f} {:.3f}\n",
            fs::path(name).filename().string(), what, f.load_cv.worst_error(), f.load_cv.mean_error(),
            f.information.worst_error(), f.information.mean_error(), f.adjacent_contiguous, f.adjacent_optimised,
            f.dispatch_contiguous, f.dispatch_optimised);
    };
    show("fitted", h.fitted);
    show("popularity only", h.popularity);
    fmt::print("{:<26} {:<16} adjacent {:.3f} {:.3f}, dispatch {:.3f} {:.3f}\n", fs::path(name).filename().string(),
               "the other half", h.recorded.adjacent_contiguous, h.recorded.adjacent_optimised,
               h.recorded.dispatch_contiguous, h.recorded.dispatch_optimised);
    CHECK(h.fitted.load_cv.worst_error() < 0.05);
    CHECK(h.fitted.information.worst_error() < 0.10);
    CHECK(h.fitted.adjacent_contiguous < 0.05);
    CHECK(h.fitted.dispatch_contiguous < 0.05);
    CHECK(h.fitted.adjacent_optimised < 0.10);
    CHECK(h.fitted.dispatch_optimised < 0.10);
    // What affinity adds.
    CHECK(h.popularity.information.mean_error() > 0.5);
    CHECK(h.popularity.adjacent_optimised > 4 * h.fitted.adjacent_optimised);
}

}  // namespace

TEST_CASE("a fitted model makes traffic like held-out tokens: DeepSeek-V2-Lite, law", "[fidelity]") {
    check_bars("deepseek-ai__ESFT/law_topk.npy");
}
TEST_CASE("a fitted model makes traffic like held-out tokens: DeepSeek-V2-Lite, summary", "[fidelity]") {
    check_bars("deepseek-ai__ESFT/summary_topk.npy");
}
TEST_CASE("a fitted model makes traffic like held-out tokens: gpt-oss-20b", "[fidelity]") {
    check_bars("AmanPriyanshu__GPT-OSS-MoE-ExpertFingerprinting/gpt-oss-20b_decode_topk.npy");
}
