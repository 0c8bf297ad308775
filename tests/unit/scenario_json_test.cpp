// What is written is read back as the same: scenarios, and runs from their own results.
#include "config/scenario_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"
#include "config/json_text.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/random_scenario.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

namespace fs = std::filesystem;

NamedDocument no_file(const std::string& reference) { throw InputError("asked for the file " + reference); }

std::string written(const Scenario& s) { return to_json(s).dump(1); }

Scenario read_back(const Scenario& s) { return parse_scenario(parse_json(written(s), "written"), "written", no_file); }

// A double with all of its digits, spread over the orders of magnitude from low to high.
double spread(RandomStream& random, double low, double high) {
    return std::clamp(low * std::pow(high / low, random.uniform()), low, high);
}

std::string odd_text(RandomStream& random) {
    const std::array<const char*, 5> pieces = {"\"", "\\", "\xc3\xa9\xf0\x9f\x98\x80", "{}[]$.", "a b"};
    std::string text = "x";
    for (int i = 0; i < 4; ++i) text += pieces[random.below(5)];
    return text;
}

template <class T>
void change(RandomStream& random, Sourced<T>& figure, double low, double high) {
    const double value = spread(random, low, high);
    if constexpr (std::is_same_v<T, Bytes>)
        figure.value = Bytes(static_cast<std::int64_t>(value));
    else
        figure.value = T(value);
    figure.source = odd_text(random);
}

// What the common random scenarios leave alone: texts, all figures of the profile and the topology, and the choices
// that they do not draw.
Scenario wild_scenario(std::uint64_t number) {
    Scenario s = random_scenario(number);
    RandomStream random(stream_key(7, 7), number);
    const auto coin = [&] { return random.below(2) == 1; };
    s.name = odd_text(random);
    if (coin()) s.description = odd_text(random) + "\nsecond line\t";
    if (coin()) s.source = odd_text(random);
    s.seed = random.next() >> 1;  // as much as a scenario may hold: 2^63 - 1
    Profile& p = s.profile;
    p.name = odd_text(random);
    p.device = odd_text(random);
    change(random, p.memory_capacity, 1e9, 1e15);
    change(random, p.memory_reserved, 1, 1e8);
    change(random, p.memory_bandwidth, 1e6, 1e15);
    change(random, p.launch, 1e-12, 1);
    change(random, p.multiprocessors, 1, 1e5);
    for (Sourced<double>* share : {&p.memory_efficiency, &p.attention_efficiency, &p.dense.efficiency,
                                   &p.grouped.efficiency, &p.nvlink.efficiency, &p.nic.efficiency})
        change(random, *share, 1e-3, 1);
    for (MatmulProfile* m : {&p.dense, &p.grouped}) {
        change(random, m->tile_m, 1, 1e5);
        change(random, m->tile_n, 1, 1e5);
    }
    for (LinkProfile* l : {&p.nvlink, &p.nic}) {
        change(random, l->half_size, 1, 1e15);
        change(random, l->overhead, 1e-12, 1);
        if (!coin()) continue;
        l->gap = l->overhead;
        change(random, *l->gap, 1e-12, 1);
    }
    if (coin()) p.pcie = p.nic;
    s.model.dtype = coin() ? Dtype::bf16 : Dtype::fp8;
    if (coin()) change(random, *(s.model.dtype == Dtype::fp8 ? p.peak_fp8 : p.peak_bf16), 1e6, 1e19);
    if (coin()) (s.model.dtype == Dtype::fp8 ? p.peak_bf16 : p.peak_fp8).reset();
    TopologySpec& t = s.topology;
    t.name = odd_text(random);
    t.source = odd_text(random);
    t.nvlink = {BytesPerSecond(spread(random, 1e3, 1e15)), Seconds(spread(random, 1e-12, 1))};
    if (t.kind == TopologyKind::nvswitch_node) {
        t.nic = t.uplink = {};  // it has none, whatever was drawn
    } else {
        t.nic = {BytesPerSecond(spread(random, 1e3, 1e15)), Seconds(spread(random, 1e-12, 1))};
        t.oversubscription = spread(random, 0.01, 1000);
        t.uplink.latency = Seconds(spread(random, 1e-12, 1));
        t.uplink.bandwidth =
            t.nic.bandwidth * (static_cast<double>(t.nodes_per_leaf * t.gpus_per_node) / t.oversubscription);
    }
    if (s.routing.policy == Policy::softmax_topk && coin()) {
        WeightsSpec w{{{}}};
        for (std::int64_t e = 0; e < s.model.experts; ++e) w.weights[0].push_back(spread(random, 1e-12, 1e12));
        s.routing.popularity = {};
        s.routing.popularity.base = w;
    }
    if (s.routing.policy == Policy::softmax_topk && coin()) s.routing.affinity = spread(random, 1e-9, 1);
    if (s.routing.policy == Policy::softmax_topk && coin()) s.routing.gaussian_noise = spread(random, 1e-9, 10);
    if (coin()) s.routing.capacity_factor = spread(random, 1e-3, 1e6);
    s.dispatch.return_dtype = coin() ? Dtype::bf16 : Dtype::fp8;
    s.network.model = coin() ? NetworkKind::simgrid : coin() ? NetworkKind::fluid : NetworkKind::bound;
    if (s.network.model == NetworkKind::fluid) s.network.tolerance = spread(random, 1e-9, 0.1);
    s.network.jitter = s.network.model != NetworkKind::bound && s.profile.nic.jitter && coin();
    if (s.network.model == NetworkKind::fluid && s.dispatch.library == Library::none && coin()) {
        const Seconds period(spread(random, 1e-4, 1));
        s.network.faults.links = {
            {"gpu0.nvlink", spread(random, 1e-5, 1), {}, {}, {}},
            {"x", 0, Seconds(spread(random, 1e-9, 1)), Seconds(2), LinkFault::Flapping{period, period * 0.5}}};
        s.network.faults.time_out = Seconds(spread(random, 1e-6, 3600));
        if (coin()) s.network.faults.reroute_after = Seconds(spread(random, 1e-9, 1));
    }
    if (coin()) {
        s.stragglers = {{RankId(0), spread(random, 1e-3, 1), Seconds(spread(random, 1e-9, 1)), Seconds(2)},
                        {RankId(0), spread(random, 1e-3, 1), Seconds(2), std::nullopt}};
        if (s.parallelism.ranks() > 1)
            s.stragglers.push_back({RankId(1), spread(random, 1e-3, 1), {}, Seconds(spread(random, 1e-9, 1e6))});
        s.shared_cores.clear();
        if (s.parallelism.ranks() > 3 && coin()) s.shared_cores = {{{RankId(2), RankId(3)}, 1}};
    }
    return s;
}

}  // namespace

TEST_CASE("shipped scenarios are written and read back as the same", "[scenario-json]") {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(MOESIM_SOURCE_DIR) / "scenarios")) {
        if (entry.path().extension() != ".json" || entry.path().parent_path().filename() == "learned") continue;
        INFO(entry.path());
        const Scenario s = load_scenario(entry.path());
        CHECK(read_back(s) == s);
        ++count;
    }
    CHECK(count >= 1);
}

TEST_CASE("random scenarios over all fields are written and read back as the same", "[scenario-json]") {
    for (std::uint64_t number = 0; number < 500; ++number) {
        const Scenario s = wild_scenario(number);
        INFO(written(s));
        const Scenario again = read_back(s);
        CHECK(again == s);
        CHECK(written(again) == written(s));
    }
}

TEST_CASE("what names a library is written and read back as the same", "[scenario-json]") {
    for (std::uint64_t number = 0; number < 200; ++number) {
        const Scenario s = random_library_scenario(number);
        INFO(written(s));
        const Scenario again = read_back(s);
        CHECK(again.dispatch == s.dispatch);
        CHECK(again.profile.collectives == s.profile.collectives);
    }
}

TEST_CASE("a window that is not given is the profile's", "[scenario-json]") {
    Scenario s = tiny(4, 64);
    s.dispatch.algorithm = Algorithm::pairwise;
    auto j = to_json(s);
    j["dispatch"].erase("window");
    CHECK(parse_scenario(j, "written", no_file).dispatch.window == 8);
    s.profile.max_flows = Sourced<std::int64_t>{3, "test"};
    j["profile"] = to_json(s.profile);
    CHECK(parse_scenario(j, "written", no_file).dispatch.window == 3);
    j["dispatch"]["window"] = 5;
    CHECK(parse_scenario(j, "written", no_file).dispatch.window == 5);
}

TEST_CASE("a run from its own result document gives the same bytes", "[scenario-json]") {
    for (const std::uint64_t number : {3U, 11U, 19U, 24U}) {
        INFO(number);
        Scenario s = random_scenario(number);
        if (number == 3) s = tiny(4, 64);
        const Folder folder;
        const std::string scenario = folder.write("scenario.json", written(s)).string();
        const std::string first = (folder.path() / "first").string(), second = (folder.path() / "second").string();
        // With a seed in the place of the scenario's own: the result has to hold the one that counted.
        const Ended run = run_process({"run", scenario, "--seed", "42", "--out", first});
        INFO(run.err);
        REQUIRE(run.exit_code == 0);
        const Ended repeated = run_process({"run", first + "/result.json", "--out", second, "--json"});
        REQUIRE(repeated.exit_code == 0);
        CHECK(repeated.out == slurp(first + "/result.json"));
        CHECK(slurp(second + "/result.json") == slurp(first + "/result.json"));
        CHECK(slurp(second + "/trace.json") == slurp(first + "/trace.json"));
    }
}
