// Whole calls that others timed, against what the shipped profiles say of them: bars on what was held out of the fits.
#include "reproduction/collective_calls.hpp"

#include <map>
#include <set>

#include "calibrate/collective_groups.hpp"
#include "reproduction/measured.hpp"
#include "support/catch.hpp"

using namespace moesim::test;

namespace {

constexpr double median_bar = 0.08, worst_bar = 0.25;

// Groups of which a part or all misses the bars: printed, and held to less here.
//   NCCL 2.23: keeps its short protocol up to 512 KiB a message, where 2.27 and 2.29, which the figures are fitted to,
//     set up the long one; and with 8 GPUs its small calls scatter between 11 and 16 us where later ones take 7 to 8.
//   older releases of DeepEP: single-node kernels of sglang-0.5.6.post2 start 3 us (low latency) and 11 us (normal
//     dispatch up to 24 tokens) later than those of sglang-0.5.12.
//   combine of 8 experts: one rate for each expert is up to 17% off, both ways.
const std::set<std::string> without_bars = {
    "NCCL all-to-all, NVLink, NCCL 2.23", "DeepEP normal dispatch, one node, older release",
    "DeepEP low-latency dispatch, one node, older release", "DeepEP low-latency combine, one node, older release",
    "DeepEP low-latency combine, one node, 8 experts"};

// Single calls above the worst bar, by group.
const std::map<std::string, std::set<std::string>> known_misses = {
    // The step between protocols: 4 GPUs take as long for 256 KiB as for 128 KiB.
    {"NCCL all-to-all, PCIe (l40s)", {"4 GPUs, 262144 B"}},
    // One reading of 35.7 us between neighbours of 26 us (8 and 16 tokens); with 256 experts it is 26.0 us.
    {"DeepEP normal dispatch, one node (h100-sxm)", {"8 ranks, hidden 2048, 12 tokens, top-8 of 128, 16 SMs"}},
};

// Shares of a group that stand apart in the table itself.
//   12 SMs: from 4096 tokens on, two nodes take 5.3 us a token and multiprocessor, where 8 and 16 take 3.7; see below.
const std::map<std::string, std::set<std::string>> shares_apart = {
    {"DeepEP normal dispatch, two nodes (h100-sxm)", {"12 SMs"}}};

template <class Map>
bool has(const Map& map, const std::string& key, const std::string& value) {
    const auto found = map.find(key);
    return found != map.end() && found->second.count(value) > 0;
}

}  // namespace

TEST_CASE("calls held out of the fits are met", "[reproduction]") {
    const auto groups = reproduce_collectives();
    if (groups.empty()) {
        WARN("skipped: " << measured_calls() << " is not there");
        return;
    }
    std::size_t barred = 0;
    for (const CollectiveGroup& g : groups) {
        const std::string name = g.name + " (" + g.machine + ")";
        if (without_bars.count(g.name) > 0) continue;
        std::vector<PredictedCall> held;
        for (const PredictedCall& c : g.held())
            if (!has(shares_apart, name, c.share)) held.push_back(c);
        INFO(name);
        REQUIRE_FALSE(held.empty());
        CHECK(errors_of(held).median <= median_bar);
        for (const PredictedCall& c : held) {
            INFO(c.call << ": " << 1e6 * c.predicted << " us, measured " << 1e6 * c.measured << " us");
            CHECK((std::abs(c.error()) <= worst_bar) != has(known_misses, name, c.call));
        }
        ++barred;
    }
    CHECK(barred == 17);
}

TEST_CASE("the one reading inside a node that is missed is contradicted by its repeat", "[reproduction]") {
    for (const CollectiveGroup& g : reproduce_collectives()) {
        if (g.name != "DeepEP normal dispatch, one node") continue;
        const auto rest = g.uncontradicted_held();
        CHECK(rest.size() + 1 == g.held().size());
        CHECK(errors_of(rest).worst <= 0.14);
    }
}

TEST_CASE("the calls across nodes with 12 SMs are those of a slower NIC", "[reproduction]") {
    // Each count of SMs was timed over connections of its own. 18 GB/s a GPU, where 24 SMs show 44, explain both ways.
    std::size_t explained = 0;
    for (const moesim::Group& g : moesim::collective_groups(measured_calls())) {
        if (g.machine != "h100-sxm" || g.name.find("two nodes") == std::string::npos) continue;
        if (g.name.find("normal") == std::string::npos) continue;
        moesim::Profile p = shipped_profile(g.machine);
        auto& normal = *p.collectives.deepep_normal;
        for (auto* phase : {&normal.dispatch, &normal.combine}) phase->nodes->nic.value = moesim::BytesPerSecond(18e9);
        for (const moesim::GroupSample& s : g.samples) {
            if (s.share != "12 SMs") continue;
            INFO(g.name << ": " << s.call);
            CHECK(std::abs(s.sample.predict(p) / s.sample.measured - 1) <= 0.09);
            ++explained;
        }
    }
    if (!reproduce_collectives().empty()) CHECK(explained == 46);
}

TEST_CASE("most calls held out of the fits are met well", "[reproduction]") {
    // Median and 90th percentile of the errors of unseen GPU counts, hidden sizes and node counts.
    struct Bar {
        double median, p90;
    };
    const std::map<std::string, Bar> bars = {
        {"NCCL all-to-all, NVLink (a100-sxm)", {0.05, 0.15}},
        {"NCCL all-to-all, NVLink (h100-sxm)", {0.05, 0.15}},
        {"NCCL all-to-all, PCIe (l40s)", {0.15, 0.30}},
        {"DeepEP normal dispatch, one node (h100-sxm)", {0.05, 0.12}},
        {"DeepEP normal combine, one node (h100-sxm)", {0.06, 0.15}},
        {"DeepEP low-latency dispatch, one node (h100-sxm)", {0.05, 0.10}},
        {"DeepEP low-latency combine, one node (h100-sxm)", {0.05, 0.10}},
        {"DeepEP low-latency dispatch, README (h800)", {0.05, 0.12}},
        {"DeepEP low-latency combine, README (h800)", {0.05, 0.12}},
    };
    std::size_t met = 0;
    const auto groups = reproduce_collectives();
    for (const CollectiveGroup& g : groups) {
        const auto bar = bars.find(g.name + " (" + g.machine + ")");
        if (bar == bars.end()) continue;
        const Errors e = errors_of(g.held());
        INFO(bar->first);
        CHECK(e.median <= bar->second.median);
        CHECK(e.p90 <= bar->second.p90);
        ++met;
    }
    if (!groups.empty()) CHECK(met == bars.size());
}
