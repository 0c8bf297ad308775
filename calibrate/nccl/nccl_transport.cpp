#include "calibrate/nccl/nccl_transport.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "calibrate/nccl/handles.hpp"
#include "kernels/error.hpp"

namespace moesim {
namespace {

struct Operation {
    bool sends = false;
    std::size_t peer = 0;
    std::uint32_t tag = 0;
    std::byte* data = nullptr;  // only read where it sends
    std::size_t bytes = 0, what = 0;
};

struct Group {
    std::vector<Operation> operations;
    NcclOwned<NcclEvent> end;
};

// One communicator, with what is expected, and what is under way.
struct Lane {
    Lane(NcclApi& api, const NcclApi::UniqueId& id, const Transport& host)
        : stream(make_stream(api)),
          communicator(api, id, static_cast<int>(host.ranks()), static_cast<int>(host.rank().value())) {}
    NcclOwned<NcclStream> stream;  // goes after the communicator does
    OwnedCommunicator communicator;
    struct Expected {
        std::size_t messages = 0;
        std::vector<Operation> operations;  // so far
    };
    std::deque<Expected> rounds;
    std::size_t first_round = 0;  // the number of rounds[0]
    std::deque<Group> started;
};

}  // namespace

struct NcclTransport::State {
    State(NcclApi& a, Transport& h, kernels::Backend& b, int d) : api(a), host(h), backend(b), device(d) {}

    NcclApi& api;
    Transport& host;
    kernels::Backend& backend;
    int device;
    std::vector<Lane> lanes;
    struct Place {
        std::size_t lane = 0, round = 0;
    };
    std::map<std::uint32_t, Place> expected;  // [tag]
    std::vector<NcclOwned<NcclEvent>> idle;
    // A moment by the device's clock and by the host's.
    NcclOwned<NcclEvent> device_moment;
    std::optional<Seconds> host_moment;
    Seconds ended_before;

    void make_lanes() {
        api.use_device(device);
        device_moment = make_event(api);
        for (std::size_t l = 0; l < MessageRound::lanes; ++l) {
            NcclApi::UniqueId id;
            if (host.rank() == RankId(0)) id = api.make_unique_id();
            host.broadcast(id.bytes);
            lanes.emplace_back(api, id, host);
        }
    }

    // A byte from everyone to everyone.
    void connect() {
        const std::size_t own = host.rank().value();
        const kernels::Buffer buffer = backend.allocate(static_cast<std::int64_t>(2 * host.ranks()));
        auto* const bytes = static_cast<std::byte*>(buffer.data());
        std::vector<std::size_t> done;
        for (Lane& lane : lanes) {
            std::vector<Operation> all;
            for (std::size_t r = 0; r < host.ranks(); ++r) {
                if (r == own) continue;
                all.push_back({true, r, 0, bytes + r, 1, 0});
                all.push_back({false, r, 0, bytes + host.ranks() + r, 1, 0});
            }
            start(lane, std::move(all));
            while (!lane.started.empty()) {
                look(done);
                std::this_thread::yield();
            }
        }
    }

    void set_moment() {
        api.use_device(device);
        api.record(device_moment.get(), lanes.front().stream.get());
        while (!api.ended(device_moment.get())) std::this_thread::yield();
        host_moment = host.now();
    }

    void add(const Operation& operation) {
        const auto found = expected.find(operation.tag);
        if (found == expected.end()) {
            if (!expected.empty()) throw InternalError("a message that was not expected among others that were");
            start(lanes.front(), {operation});
            return;
        }
        Lane& lane = lanes[found->second.lane];
        if (found->second.round < lane.first_round) throw InternalError("a message of a round that was started");
        auto& round = lane.rounds[found->second.round - lane.first_round];
        round.operations.push_back(operation);
        if (round.operations.size() > round.messages) throw InternalError("more messages of a round than expected");
        while (!lane.rounds.empty() && lane.rounds.front().operations.size() == lane.rounds.front().messages) {
            std::vector<Operation> all = std::move(lane.rounds.front().operations);
            lane.rounds.pop_front();
            ++lane.first_round;
            // Both ends of a pair have the same order; messages of one tag keep theirs.
            std::stable_sort(all.begin(), all.end(),
                             [](const Operation& a, const Operation& b) { return a.tag < b.tag; });
            start(lane, std::move(all));
        }
        if (std::all_of(lanes.begin(), lanes.end(), [](const Lane& l) { return l.rounds.empty(); })) expected.clear();
    }

    void start(Lane& lane, std::vector<Operation> operations) {
        api.use_device(device);
        NcclCommunicator* const communicator = lane.communicator.get();
        lane.communicator.set_busy(true);
        GroupedCalls calls(api);
        for (const Operation& o : operations) {
            if (o.bytes == 0) continue;  // at both ends
            const int peer = static_cast<int>(o.peer);
            if (o.sends)
                api.send(communicator, peer, o.data, o.bytes, lane.stream.get());
            else
                api.receive(communicator, peer, o.data, o.bytes, lane.stream.get());
        }
        calls.end();
        Group group{std::move(operations), {}};
        if (idle.empty()) {
            group.end = make_event(api);
        } else {
            group.end = std::move(idle.back());
            idle.pop_back();
        }
        api.record(group.end.get(), lane.stream.get());
        lane.started.push_back(std::move(group));
    }

    void look(std::vector<std::size_t>& what) {
        api.use_device(device);
        require_no_error();
        for (Lane& lane : lanes) {
            if (lane.started.empty() || !api.ended(lane.started.front().end.get())) continue;
            Group& group = lane.started.front();
            for (const Operation& o : group.operations) what.push_back(o.what);
            ended_before = since(*group.end);
            idle.push_back(std::move(group.end));
            lane.started.pop_front();
            lane.communicator.set_busy(!lane.started.empty());
            return;  // of one group, since each has its own end
        }
    }
    [[nodiscard]] Seconds since(NcclEvent& end) {
        if (!host_moment) return {};
        return std::max(Seconds{}, host.now() - *host_moment - api.between(device_moment.get(), &end));
    }

    void abandon() noexcept {
        for (Lane& lane : lanes) lane.communicator.abort();
    }
    void require_no_error() {
        for (Lane& lane : lanes) {
            const auto error = api.asynchronous_error(lane.communicator.get());
            if (!error) continue;
            std::set<std::size_t> peers;
            for (const Lane& l : lanes)
                for (const Group& g : l.started)
                    for (const Operation& o : g.operations) peers.insert(o.peer);
            abandon();
            throw kernels::DeviceFailure(
                fmt::format("NCCL on rank {}: {}{}", host.rank().value(), *error,
                            peers.empty() ? std::string(", with no message under way")
                                          : fmt::format(", while it exchanged with {}", fmt::join(peers, ", "))));
        }
    }
};

NcclTransport::NcclTransport(NcclApi& api, Transport& host, kernels::Backend& backend, int device)
    : state_(std::make_unique<State>(api, host, backend, device)) {
    state_->make_lanes();
    state_->connect();
    state_->set_moment();
}

NcclTransport::~NcclTransport() = default;

std::size_t NcclTransport::ranks() const { return state_->host.ranks(); }
RankId NcclTransport::rank() const { return state_->host.rank(); }

void NcclTransport::expect(const std::vector<MessageRound>& rounds) {
    State& s = *state_;
    s.expected.clear();
    for (Lane& lane : s.lanes) {
        if (!lane.started.empty()) throw InternalError("messages are expected while others are under way");
        lane.rounds.clear();
        lane.first_round = 0;
    }
    for (const MessageRound& round : rounds) {
        Lane& lane = s.lanes.at(round.lane);
        for (const std::uint32_t tag : round.tags) s.expected[tag] = {round.lane, lane.rounds.size()};
        lane.rounds.push_back({round.messages, {}});
    }
    s.set_moment();
}

kernels::Buffer NcclTransport::memory(std::int64_t bytes) const { return state_->backend.allocate(bytes); }

void NcclTransport::send(RankId to, std::uint32_t tag, std::span<const std::byte> bytes, std::size_t what) {
    state_->add({true, to.value(), tag, const_cast<std::byte*>(bytes.data()), bytes.size(), what});
}

void NcclTransport::receive(RankId from, std::uint32_t tag, std::span<std::byte> bytes, std::size_t what) {
    state_->add({false, from.value(), tag, bytes.data(), bytes.size(), what});
}

void NcclTransport::completed(std::vector<std::size_t>& what) { state_->look(what); }
Seconds NcclTransport::ended_before() const { return state_->ended_before; }
void NcclTransport::abandon() noexcept { state_->abandon(); }

void NcclTransport::barrier() { state_->host.barrier(); }
std::vector<std::vector<std::byte>> NcclTransport::gather(std::span<const std::byte> bytes) {
    return state_->host.gather(bytes);
}
void NcclTransport::broadcast(std::span<std::byte> bytes) { state_->host.broadcast(bytes); }
Seconds NcclTransport::now() const { return state_->host.now(); }
void NcclTransport::sleep_until(Seconds time) { state_->host.sleep_until(time); }
Seconds NcclTransport::clock_ahead() const { return state_->host.clock_ahead(); }

}  // namespace moesim
