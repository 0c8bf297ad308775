// What holds for the laws of whole calls, whatever the figures.
#include <cmath>

#include "base/random.hpp"
#include "calibrate/uniform_call.hpp"
#include "support/catch.hpp"
#include "support/collective_profiles.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// A figure between a tenth of what it was and ten times as much.
template <class T>
void vary(Sourced<T>& figure, RandomStream& random) {
    figure.value = figure.value * std::pow(10.0, 2 * random.uniform() - 1);
}

Profile varied(std::uint64_t seed) {
    RandomStream random(seed, 0);
    Profile p = round_profile();
    NcclProfile& n = *p.collectives.nccl;
    for (auto* s : {&n.start_up, &n.per_doubling, &n.short_most, &n.fill}) vary(*s, random);
    for (auto* r : {&n.short_rate, &n.rate}) vary(*r, random);
    if (seed % 2 == 0) n.flagged = {{Bytes(32768), ""}, {1 + 3 * random.uniform(), ""}};
    if (seed % 3 == 0) n.host_bridge = {{2, ""}, {BytesPerSecond(1e9), ""}, {random.uniform(), ""}};
    for (auto* phase : {&p.collectives.deepep_normal->dispatch, &p.collectives.deepep_normal->combine}) {
        for (auto* s : {&phase->start_up, &phase->row_time, &phase->nodes->start_up}) vary(*s, random);
        for (auto* r : {&phase->first_row_rate, &phase->sm_rate, &phase->nvlink, &*phase->reduce_rate,
                        &phase->nodes->sm_rate, &phase->nodes->shared_rate, &phase->nodes->nic})
            vary(*r, random);
        for (auto* c : {&phase->rows_in_flight, &phase->half_rows, &phase->nodes->half_rows}) vary(*c, random);
    }
    for (auto* phase : {&p.collectives.deepep_low_latency->dispatch, &p.collectives.deepep_low_latency->combine})
        for (auto* r : {&phase->first_row_rate, &phase->rate, &phase->expert_rate, &phase->nodes->nic})
            vary(*r, random);
    return p;
}

DeepEpCall call_of(std::int64_t nodes, bool combine) {
    DeepEpCall c;
    c.combine = combine;
    c.nodes = nodes;
    c.most_nodes = std::min<std::int64_t>(nodes, 4);
    c.hidden = 4096;
    c.top_k = 8;
    c.experts = 256;
    c.multiprocessors = 20;
    return c;
}

}  // namespace

TEST_CASE("more bytes never take a NCCL all-to-all less time", "[property]") {
    for (std::uint64_t seed = 0; seed < 50; ++seed)
        for (const std::size_t ranks : {2U, 4U, 8U}) {
            const Profile p = varied(seed);
            double before = 0;
            for (std::int64_t bytes = 512; bytes < (std::int64_t{1} << 31); bytes += bytes / 16 * 8) {
                NcclCall call;
                call.ranks = ranks;
                call.bytes = Bytes(bytes);
                const double t = predict_nccl(p, call).value();
                INFO("seed " << seed << ", " << ranks << " ranks, " << bytes << " B");
                REQUIRE(t >= before * (1 - 1e-12));
                before = t;
            }
        }
}

TEST_CASE("more tokens or wider ones never take DeepEP's calls less time", "[property]") {
    for (std::uint64_t seed = 0; seed < 50; ++seed)
        for (const std::int64_t nodes : {1, 2, 8})
            for (const bool combine : {false, true})
                for (const auto predict : {predict_deepep_normal, predict_deepep_low_latency}) {
                    const Profile p = varied(seed);
                    double narrow_before = 0, wide_before = 0;
                    for (std::int64_t tokens = 1; tokens < 200'000; tokens = tokens * 3 / 2 + 1) {
                        DeepEpCall c = call_of(nodes, combine);
                        c.tokens = tokens;
                        const double narrow = predict(p, c).value();
                        c.hidden = 7168;
                        const double wide = predict(p, c).value();
                        INFO("seed " << seed << ", " << nodes << " nodes, " << tokens << " tokens");
                        REQUIRE(narrow >= narrow_before * (1 - 1e-12));
                        REQUIRE(wide >= wide_before * (1 - 1e-12));
                        REQUIRE(wide >= narrow * (1 - 1e-12));
                        narrow_before = narrow;
                        wide_before = wide;
                    }
                }
}
