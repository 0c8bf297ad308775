// Measuring operations on a device that takes written-out times, and links between ranks that are threads.
#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "calibrate/measure/device_profile.hpp"
#include "calibrate/measure/fit_kernels.hpp"
#include "calibrate/measure/measure_ranks.hpp"
#include "cost/kernel_law.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/scenarios.hpp"
#include "support/thread_transport.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

// A device whose clock is what is put there.
class FakeDevice final : public kernels::Backend {
  public:
    double clock = 0;
    [[nodiscard]] std::string_view name() const override { return "fake"; }
    [[nodiscard]] std::string description() const override { return "no device"; }
    [[nodiscard]] kernels::Buffer allocate(std::int64_t) override { return {}; }
    [[nodiscard]] std::unique_ptr<kernels::Stream> make_stream() override {
        return std::make_unique<FakeStream>(*this);
    }
    [[nodiscard]] kernels::Operations& operations() override { throw InternalError("no operations"); }

  private:
    struct FakeEvent final : kernels::Event {
        explicit FakeEvent(double t) : at(t) {}
        [[nodiscard]] Seconds since(const kernels::Event& earlier) const override {
            return Seconds(at - dynamic_cast<const FakeEvent&>(earlier).at);
        }
        double at;
    };
    struct FakeStream final : kernels::Stream {
        explicit FakeStream(FakeDevice& d) : device(d) {}
        void synchronize() override {}
        std::unique_ptr<kernels::Event> record() override { return std::make_unique<FakeEvent>(device.clock); }
        void copy_in(void*, const void*, std::int64_t) override {}
        void copy_out(void*, const void*, std::int64_t) override {}
        void copy(void*, const void*, std::int64_t) override {}
        void fill_bytes(void*, unsigned char, std::int64_t) override {}
        FakeDevice& device;
    };
};

// A sum of two rows of `tokens`, on the fake device: 2 us and 3 ns a row.
KernelCase residual_case(FakeDevice& device, std::int64_t tokens, std::int64_t hidden) {
    KernelCase c;
    c.operation = KernelOperation::add_residual;
    c.shape = "hidden " + std::to_string(hidden);
    c.counts = residual_counts(tokens, hidden);
    c.memory = tokens;
    c.make = [&device, tokens](kernels::Backend&, kernels::Stream&) -> std::function<void()> {
        return [&device, tokens] { device.clock += 2e-6 + 3e-9 * static_cast<double>(tokens); };
    };
    return c;
}

}  // namespace

TEST_CASE("operations are timed by the device's own clock", "[measure]") {
    FakeDevice device;
    std::vector<KernelCase> cases;
    for (const std::int64_t tokens : {10, 100, 1000, 100'000, 1'000'000'000})
        for (const std::int64_t hidden : {64, 128}) cases.push_back(residual_case(device, tokens, hidden));
    KernelTiming options;
    options.memory = 1'000'000'000;
    options.longest_call = Seconds(1e-4);
    double share = 0;
    // Of 1e9 rows: as much memory as there may be, but 3 s where 0.1 ms may pass; of 1e5: 0.3 ms.
    const KernelTimes times = time_kernels(device, cases, options, [&](double s) { share = s; });
    CHECK(share == 1);
    REQUIRE(times.calls.size() == 6);
    CHECK(times.calls[0].timing.median.value() == Approx(2.03e-6));
    CHECK(times.calls[0].timing.settled);
    CHECK(times.calls[5].timing.median.value() == Approx(5e-6));
    REQUIRE(times.skipped.size() == 1);
    CHECK(times.skipped[0].calls == 4);
    CHECK(times.skipped[0].reason == "calls longer than 0.0 s");
    const auto laws = fit_kernels(times.calls, {Bytes(1'000'000'000)}, "fake", "2026-11-23");
    REQUIRE(laws.size() == 1);
    CHECK(laws[0].seconds_per[static_cast<std::size_t>(KernelQuantity::call)] == Approx(2e-6));
    CHECK(laws[0].seconds_per[static_cast<std::size_t>(KernelQuantity::row)] == Approx(3e-9));
    CHECK(laws[0].fit.worst < 0.001);
    const std::string csv = samples_csv(times);
    CHECK(csv.rfind("operation,shape,call,group,row,choice,byte,far_byte,weight_byte,flop,repeats,sample,seconds\n"
                    "add_residual,\"hidden 64\",1,0,10,0,3840,0,0,0,",
                    0) == 0);
    options.memory = 100;
    CHECK(time_kernels(device, cases, options, [](double) {}).skipped[0].reason == "more than 0.0 GB of memory");
}

TEST_CASE("the grid has the scenario's shapes and sizes, and others around them", "[measure]") {
    // 64 tokens on 2 ranks in 2 micro-batches of 2 chunks: 16 tokens of a rank, 8 in a chunk; up to 32.
    Scenario s = tiny(2, 64);
    s.model.attention = AttentionSpec{2, 1, 8, true};
    s.schedule.micro_batches = 2;
    s.schedule.chunks = 2;
    s.model.hidden = 96;
    for (const bool quick : {false, true}) {
        const KernelGrid grid = kernel_grid(s, quick);
        CHECK(grid.shapes.front().hidden == 96);
        CHECK(grid.shapes.front().local == s.model.experts / 2);
        CHECK(grid.shapes[1].hidden == 48);
        CHECK(grid.tokens.front() == 4);
        CHECK(grid.tokens.back() == 32);
        for (const std::int64_t t : {8, 16}) CHECK(std::count(grid.tokens.begin(), grid.tokens.end(), t) == 1);
        std::set<KernelOperation> operations;
        for (const KernelCase& c : kernel_cases(grid, 0, 1 << 30)) operations.insert(c.operation);
        CHECK(operations.size() == kernel_operation_names.size());
    }
}

TEST_CASE("link figures are found again from what the simulator says of them", "[measure]") {
    const Fabric fabric = build_fabric(small_tree(2, 2));
    Profile truth = ideal_profile();
    truth.nvlink.efficiency.value = 0.8, truth.nvlink.overhead.value = Seconds(5e-6);
    truth.nic.efficiency.value = 0.6, truth.nic.overhead.value = Seconds(20e-6);
    truth.nic.gap = {Seconds(3e-6), "made up"};
    std::vector<LinkTimes> times;
    for (const LinkCase& c : link_cases(fabric, Bytes(65536), false)) {
        LinkTimes t{c, {}};
        t.timing.median = t.timing.low = t.timing.high = predict_links(fabric, truth, c);
        t.timing.samples = {t.timing.median, 2 * t.timing.median};
        times.push_back(std::move(t));
    }
    times.push_back(times.front());  // one that is not known well changes nothing
    times.back().timing.median = Seconds(1);
    times.back().timing.low = Seconds(0.1);
    times.back().timing.high = Seconds(2);
    Profile p = ideal_profile();
    const auto notes = fit_links(p, fabric, times, "Made up.");
    CHECK(notes.size() == 3);
    CHECK(p.nvlink.efficiency.value == Approx(0.8).epsilon(0.01));
    CHECK(p.nvlink.overhead.value.value() == Approx(5e-6).epsilon(0.02));
    CHECK(p.nic.efficiency.value == Approx(0.6).epsilon(0.01));
    CHECK(p.nic.overhead.value.value() == Approx(20e-6).epsilon(0.02));
    REQUIRE(p.nic.gap);
    CHECK(p.nic.gap->value.value() == Approx(3e-6).epsilon(0.01));  // single bytes that meet on a link take 17 ns more
    CHECK_FALSE(p.nvlink.gap);                                      // a rank has one other rank on its node
    REQUIRE(p.nic.jitter);
    CHECK(p.nic.jitter->value.front() == 1);
    CHECK(p.nic.jitter->value.back() == 2);

    // Times that no law has: of every second case a quarter, of the others four times as much.
    for (std::size_t i = 0; i < times.size(); ++i)
        for (Seconds* t : {&times[i].timing.low, &times[i].timing.median, &times[i].timing.high})
            *t = *t * (i % 2 == 0 ? 0.25 : 4.0);
    Profile poor = ideal_profile();
    CHECK(fit_links(poor, fabric, times, "Made up.").back().rfind("doubtful  one in ten", 0) == 0);
}

TEST_CASE("a ping-pong counts one way, and all pairs meet on the links", "[measure]") {
    // One switch of 3 ranks at 1 GB/s, overhead 1 us: a ping-pong of 1000 B takes 1 + 1 us each way. All pairs: two
    // messages of 1000 B leave each rank, and its link carries both: 1 + 2 us.
    const Fabric fabric = build_fabric(one_switch(3));
    Profile p = ideal_profile();
    p.nvlink.overhead.value = Seconds(1e-6);
    const RankId a(0), b(1);
    CHECK(predict_links(fabric, p, {"", {{a, b, Bytes(1000)}, {b, a, Bytes(1000)}}, true}).value() == Approx(2e-6));
    const auto cases = link_cases(fabric, Bytes(16'000), false);
    const auto even = std::find_if(cases.begin(), cases.end(), [](const LinkCase& c) {
        return !c.ping_pong && c.transfers.front().bytes == Bytes(1000);
    });
    REQUIRE(even != cases.end());
    CHECK(even->transfers.size() == 6);
    CHECK(predict_links(fabric, p, *even).value() == Approx(3e-6));
    CHECK(link_cases(build_fabric(one_switch(1)), Bytes(1000), true).empty());
}

TEST_CASE("ranks time their messages together", "[measure]") {
    const Scenario s = tiny(3, 12);
    const auto cases = link_cases(build_fabric(s.topology), Bytes(512), true);
    std::array<std::vector<LinkTimes>, 3> times;  // [rank]
    on_threads(3, [&](Transport& transport) {
        wait_for_first(transport);
        LinkTiming options;
        options.budget = Seconds(0.02);
        times[transport.rank().value()] = time_links(transport, cases, options, [](double) {});
    });
    REQUIRE(times[0].size() == cases.size());
    for (const LinkTimes& t : times[0]) CHECK(t.timing.samples.size() >= 2);
    CHECK(times[1].empty());
    CHECK(times[2].empty());
}

TEST_CASE("calibrating a machine is asked for in one way or the other", "[calibrate]") {
    const Folder folder;
    const std::string out = (folder.path() / "profile.json").string();
    const auto neither = run_process({"calibrate", "-o", out});
    CHECK(neither.exit_code == 2);
    CHECK(neither.err ==
          "moesim: calibrate: found neither --from nor --backend, expected either --from (tables that others measured) "
          "or "
          "--backend (what is to be measured here)\n");
    CHECK(run_process({"calibrate", "--from", "x", "--backend", "cpu", "-o", out}).exit_code == 2);
    CHECK(run_process({"calibrate", "--from", "x", "--quick", "-o", out}).err ==
          "moesim: --quick: found a value, expected none without --backend\n");
    const auto cuda = run_process({"calibrate", "--backend", "cuda", "-o", out});
    CHECK(cuda.exit_code == 3);
    CHECK_FALSE(std::filesystem::exists(out));
}
