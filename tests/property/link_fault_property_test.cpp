// Whatever goes wrong with links: a run ends, and what ends has been carried.
#include "base/random.hpp"
#include "support/catch.hpp"
#include "support/random_scenario.hpp"
#include "support/simulation.hpp"
#include "topology/fabric.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

FaultsSpec random_faults(const Scenario& s, double makespan, RandomStream& random) {
    const Fabric fabric = build_fabric(s.topology);
    FaultsSpec faults;
    const std::uint32_t n = 1 + random.below(4);
    for (std::uint32_t i = 0; i < n; ++i) {
        LinkFault f;
        f.link = fabric.links()[random.below(static_cast<std::uint32_t>(fabric.links().size()))].name;
        f.capacity = random.below(2) == 0 ? 0 : random.uniform();
        f.from = Seconds(makespan * random.uniform());
        if (random.below(3) > 0) f.until = f.from + Seconds(makespan * (0.01 + random.uniform()));
        if (random.below(3) == 0) {
            const double period = std::max(makespan * 0.1, 1e-5);
            f.flapping = {Seconds(period), Seconds(period * 0.5)};
        }
        faults.links.push_back(f);
    }
    if (random.below(2) == 0) faults.reroute_after = Seconds(makespan * 0.05 * random.uniform());
    faults.time_out = Seconds(5 * makespan + 1e-3);
    return faults;
}

}  // namespace

TEST_CASE("runs with faulty links end: all that was sent has arrived, or a transfer that stalled is named") {
    int ended = 0, stalled = 0, rerouted = 0;
    for (std::uint64_t i = 0; i < 150; ++i) {
        INFO("random_scenario(" << i << ")");
        Scenario s = random_scenario(i);
        s.network = NetworkSpec{};
        const auto whole = simulate_document(s);
        const double makespan = whole["makespan_s"].get<double>();
        RandomStream random(stream_key(i, 91), 0);
        s.network.faults = random_faults(s, makespan, random);
        try {
            const auto doc = simulate_document(s);
            ++ended;
            rerouted += doc["network"]["rerouted_transfers"].get<int>() > 0;
            CHECK(doc["traffic"] == whole["traffic"]);
            CHECK(doc["load"] == whole["load"]);
            CHECK(doc["makespan_s"].get<double>() >= makespan * 0.9);
        } catch (const std::runtime_error& e) {
            ++stalled;
            CHECK(std::string(e.what()).find("stood still") != std::string::npos);
        }
    }
    CHECK(ended > 50);
    CHECK(stalled > 5);
    CHECK(rerouted > 5);
}
