// Messages by NCCL, of which a fake has the order of operations and the failures.
#include <algorithm>
#include <array>

#include "calibrate/execute/execute.hpp"
#include "calibrate/execute/message_rounds.hpp"
#include "calibrate/execute/rank_run.hpp"
#include "calibrate/execute/reference.hpp"
#include "calibrate/execute/work_plan.hpp"
#include "calibrate/measure/time_links.hpp"
#include "calibrate/nccl/handles.hpp"
#include "calibrate/nccl/nccl_transport.hpp"
#include "kernels/cpu/backend.hpp"
#include "kernels/error.hpp"
#include "study/resolve.hpp"
#include "support/catch.hpp"
#include "support/fake_nccl.hpp"
#include "support/scenarios.hpp"
#include "support/thread_transport.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

std::unique_ptr<kernels::Backend> one_core_for_nccl() {
    kernels::CpuOptions options;
    options.threads = 1;
    return kernels::make_cpu_backend(options);
}

std::uint64_t execute_by_nccl(const Scenario& scenario, FakeNcclWorld& world) {
    std::uint64_t checksum = 0;
    on_threads(static_cast<std::size_t>(scenario.parallelism.ranks()), [&](Transport& host) {
        const auto backend = one_core_for_nccl();
        const auto api = world.api();
        NcclTransport messages(*api, host, *backend, 0);
        ExecuteOptions options;
        options.repeats = 2;
        options.rehearse = true;
        const auto done = execute(resolve(scenario, "test"), messages, *backend, options);
        if (done) checksum = done->checksum;
        host.barrier();
    });
    return checksum;
}

Scenario with_chunks(std::int64_t ranks) {
    Scenario s = tiny(ranks, 8 * ranks);
    s.model.experts = 2 * ranks;
    s.model.top_k = 2;
    s.model.moe_layers = 2;
    s.schedule.micro_batches = 2;
    s.schedule.chunks = 2;
    s.schedule.order = Order::interleaved;
    return s;
}

}  // namespace

TEST_CASE("the fake waits as NCCL does: operations in a circle never end, in one group they do") {
    // Three ranks, each of which sends to the next: 0 sends first, and so do 1 and 2, before they receive.
    FakeNcclWorld world;
    std::array<std::array<bool, 2>, 3> ended{}, arrived{};  // [rank][grouped]
    on_threads(3, [&](Transport& host) {
        const int own = static_cast<int>(host.rank().value()), next = (own + 1) % 3, before = (own + 2) % 3;
        const auto api = world.api();
        NcclApi::UniqueId id;
        if (own == 0) id = api->make_unique_id();
        host.broadcast(id.bytes);
        const OwnedCommunicator communicator(*api, id, 3, own);
        const auto stream = make_stream(*api);
        const auto end = make_event(*api);
        std::array<std::byte, 2> bytes{std::byte(own + 1), {}};
        for (const bool grouped : {true, false}) {
            if (grouped) api->group_start();
            api->send(communicator.get(), next, &bytes[0], 1, stream.get());
            api->receive(communicator.get(), before, &bytes[1], 1, stream.get());
            if (grouped) api->group_end();
            api->record(end.get(), stream.get());
            host.barrier();
            ended[host.rank().value()][grouped ? 1 : 0] = api->ended(end.get());
            arrived[host.rank().value()][grouped ? 1 : 0] = bytes[1] == std::byte(before + 1);
            bytes[1] = {};
            host.barrier();
        }
    });
    for (std::size_t r = 0; r < 3; ++r) {
        CHECK(ended[r] == std::array{false, true});
        CHECK(arrived[r] == std::array{false, true});
    }
    CHECK(world.handles() == 0);
}

TEST_CASE("executions by NCCL end, and compute what one process does") {
    const auto run = [](const Scenario& s) {
        FakeNcclWorld world;
        const std::uint64_t sum = execute_by_nccl(s, world);
        CHECK(sum == reference_checksum(resolve(s, "test"), *one_core_for_nccl()));
        CHECK(world.handles() == 0);
        CHECK(world.aborted() == 0);
    };
    Scenario s = with_chunks(4);
    SECTION("all at once, in chunks and micro-batches that overlap") { run(s); }
    SECTION("two messages at a time") {
        s.dispatch.algorithm = Algorithm::pairwise;
        s.dispatch.window = 2;
        run(s);
    }
    SECTION("forwarded in nodes, sums on the way back") {
        s.topology = small_tree(2, 2);
        s.dispatch.algorithm = Algorithm::rail;
        s.dispatch.dedup = Dedup::node;
        run(s);
    }
    SECTION("a message a row") {
        s.dispatch.algorithm = Algorithm::low_latency;
        s.dispatch.dedup = Dedup::none;
        run(s);
    }
    SECTION("in two levels") {
        s.topology = small_tree(2, 2);
        s.dispatch.algorithm = Algorithm::hierarchical;
        s.schedule.order = Order::sequential;
        run(s);
    }
    SECTION("one rank") { run(with_chunks(1)); }
}

TEST_CASE("rounds: dispatches and returns apart, a window's messages one after another") {
    // Four ranks, all to all, one message at a time: three rounds an exchange, each of one message out and one in.
    Scenario s = tiny(4, 64);
    s.model.experts = 8;
    s.model.top_k = 8;
    s.model.moe_layers = 1;
    s.dispatch.algorithm = Algorithm::pairwise;
    s.dispatch.window = 1;
    const WorkPlan plan = work_plan(resolve(s, "test"), RankId(1));
    const auto rounds = message_rounds(plan.result.graph, plan.local);
    REQUIRE(rounds.size() == 6);
    for (std::size_t i = 0; i < rounds.size(); ++i) {
        CHECK(rounds[i].lane == i / 3);
        CHECK(rounds[i].messages == 2);
        CHECK(rounds[i].tags.size() == 2);
    }
    s.dispatch.algorithm = Algorithm::direct;
    const WorkPlan at_once = work_plan(resolve(s, "test"), RankId(1));
    const auto two = message_rounds(at_once.result.graph, at_once.local);
    REQUIRE(two.size() == 2);
    CHECK(two[0].messages == 6);
}

TEST_CASE("links are timed by NCCL, all pairs in one group") {
    FakeNcclWorld world;
    std::vector<LinkTimes> times;
    on_threads(3, [&](Transport& host) {
        const auto backend = one_core_for_nccl();
        const auto api = world.api();
        NcclTransport messages(*api, host, *backend, 0);
        const std::size_t before = world.groups();
        LinkCase pairs{"all", {}, false};
        for (std::size_t from = 0; from < 3; ++from)
            for (std::size_t to = 0; to < 3; ++to)
                if (from != to) pairs.transfers.push_back({RankId(from), RankId(to), Bytes(100)});
        const LinkCase there_and_back{
            "ping", {{RankId(2), RankId(0), Bytes(7)}, {RankId(0), RankId(2), Bytes(7)}}, true};
        LinkTiming timing;
        timing.budget = Seconds(0);  // two samples a case
        host.barrier();
        auto own = time_links(messages, {pairs, there_and_back}, timing, [](double) {});
        host.barrier();
        if (host.rank() == RankId(0)) {
            // One sample that does not count and two that do, of three ranks' groups and of four lone messages.
            CHECK(world.groups() - before == 3 * (3 + 4));
            times = std::move(own);
        }
        host.barrier();
    });
    REQUIRE(times.size() == 2);
    CHECK(times[0].timing.median > Seconds(0));
    CHECK(times[1].timing.median > Seconds(0));
}

TEST_CASE("an error that NCCL finds later ends every rank, aborts all communicators and names the rank") {
    FakeNcclWorld world;
    world.fail_after(2, 4);  // both lanes' connections, then two exchanges
    std::array<std::string, 3> said;
    on_threads(3, [&](Transport& host) {
        const auto backend = one_core_for_nccl();
        const auto api = world.api();
        try {
            NcclTransport messages(*api, host, *backend, 0);
            ExecuteOptions options;
            options.repeats = 1000;
            (void)execute(resolve(with_chunks(3), "test"), messages, *backend, options);
        } catch (const kernels::DeviceFailure& e) {
            said[host.rank().value()] = e.what();
        }
    });
    CHECK(said[2].find("NCCL on rank 2: unhandled cuda error") == 0);
    CHECK(said[0].find("NCCL on rank 0: remote process exited") == 0);
    CHECK(said[0].find("while it exchanged with") != std::string::npos);
    CHECK(world.aborted() == 6);
    CHECK(world.handles() == 0);
}

TEST_CASE("a rank that cannot join, or fails as it computes, leaves nothing behind") {
    FakeNcclWorld world;
    SECTION("no communicator") {
        world.fail_to_join(1);
        CHECK_THROWS_WITH(on_threads(2,
                                     [&](Transport& host) {
                                         const auto backend = one_core_for_nccl();
                                         const auto api = world.api();
                                         const NcclTransport messages(*api, host, *backend, 0);
                                     }),
                          Catch::Matchers::StartsWith("ncclCommInitRank"));
    }
    SECTION("a failing task") {
        class Failing final : public RankWork {
          public:
            explicit Failing(bool fails) : fails_(fails) {}
            Seconds compute(std::size_t, const Label& l) override {
                if (fails_ && l.stage == Stage::expert) throw std::runtime_error("no more");
                return {};
            }
            std::span<const std::byte> outgoing(const Label&, std::uint32_t) override { return memory_; }
            std::span<std::byte> incoming(const Label&, std::uint32_t) override { return memory_; }

          private:
            bool fails_;
            std::array<std::byte, 64> memory_{};
        };
        std::array<std::string, 2> said;
        on_threads(2, [&](Transport& host) {
            const auto backend = one_core_for_nccl();
            const auto api = world.api();
            NcclTransport messages(*api, host, *backend, 0);
            const WorkPlan plan = work_plan(resolve(with_chunks(2), "test"), host.rank());
            Failing work(host.rank() == RankId(1));
            messages.expect(message_rounds(plan.result.graph, plan.local));
            try {
                run_tasks_of_rank(plan.result.graph, plan.local, work, messages, host.now());
            } catch (const std::exception& e) {
                said[host.rank().value()] = e.what();
            }
        });
        CHECK(said[1] == "no more");
        CHECK(said[0].find("NCCL on rank 0: remote process exited") == 0);
        CHECK(world.aborted() == 4);
    }
    CHECK(world.handles() == 0);
}

TEST_CASE("messages that were not expected beside others that were, and too many of them, are faults") {
    FakeNcclWorld world;
    on_threads(1, [&](Transport& host) {
        const auto backend = one_core_for_nccl();
        const auto api = world.api();
        NcclTransport messages(*api, host, *backend, 0);
        std::array<std::byte, 1> byte{};
        messages.expect({{0, {5}, 2}});
        CHECK_THROWS_AS(messages.receive(RankId(0), 6, byte, 0), InternalError);
        messages.expect({{0, {5}, 2}, {1, {6}, 1}});
        messages.receive(RankId(0), 5, byte, 1);
        messages.send(RankId(0), 5, byte, 2);
        std::vector<std::size_t> done;
        while (done.empty()) messages.completed(done);
        CHECK(done == std::vector<std::size_t>{1, 2});
        CHECK_THROWS_AS(messages.receive(RankId(0), 5, byte, 3), InternalError);
    });
}
