#include "support/fake_nccl.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/error.hpp"

namespace moesim {

using FakeClock = std::chrono::steady_clock;

struct NcclCommunicator {
    std::uint64_t id = 0;
    int ranks = 0, rank = 0;
};

struct NcclStream {
    struct Operation {
        NcclCommunicator* communicator = nullptr;
        std::uint64_t id = 0;
        int rank = 0, peer = 0;
        bool sends = false, done = false;
        std::byte* data = nullptr;
        std::size_t bytes = 0;
    };
    std::deque<std::vector<Operation>> groups;
    std::size_t given = 0;                     // groups
    std::vector<FakeClock::time_point> ended;  // [group]
};

struct NcclEvent {
    NcclStream* stream = nullptr;
    std::size_t after = 0;  // groups of the stream
    FakeClock::time_point recorded;
    [[nodiscard]] FakeClock::time_point at() const {
        return after == 0 ? recorded : std::max(recorded, stream->ended[after - 1]);
    }
};

namespace test {

struct FakeNcclWorld::State {
    using Operation = NcclStream::Operation;
    mutable std::mutex mutex;
    std::condition_variable joined;
    std::uint64_t ids = 0;
    std::map<std::uint64_t, int> members;  // [communicator's id]
    std::list<NcclStream*> streams;
    std::map<int, std::size_t> fails_after;  // [rank]: groups
    std::map<int, std::size_t> given;        // [rank]: groups
    int cannot_join = -1;
    bool failed_to_join = false;
    std::map<std::uint64_t, bool> broken;  // [communicator's id]: aborted on some rank
    std::size_t handles = 0, aborted = 0, groups = 0;

    Operation* meets(const Operation& o) {
        for (NcclStream* s : streams) {
            if (s->groups.empty()) continue;
            for (Operation& p : s->groups.front())
                if (!p.done && p.id == o.id && p.rank == o.peer && p.peer == o.rank && p.sends != o.sends) return &p;
        }
        return nullptr;
    }
    void progress() {
        for (bool again = true; again;) {
            again = false;
            for (NcclStream* s : streams) {
                if (s->groups.empty()) continue;
                auto& group = s->groups.front();
                for (Operation& o : group) {
                    if (o.done || broken[o.id]) continue;
                    Operation* const other = meets(o);
                    if (other == nullptr) continue;
                    if (other->bytes != o.bytes) throw kernels::DeviceFailure("fake: messages of two sizes meet");
                    const Operation& from = o.sends ? o : *other;
                    std::memcpy((o.sends ? *other : o).data, from.data, from.bytes);
                    o.done = other->done = again = true;
                }
                if (std::all_of(group.begin(), group.end(), [](const Operation& o) { return o.done; })) {
                    s->groups.pop_front();
                    s->ended.push_back(FakeClock::now());
                    ++groups;
                    again = true;
                }
            }
        }
    }
};

namespace {

class FakeNccl final : public NcclApi {
  public:
    explicit FakeNccl(FakeNcclWorld::State& world) : w_(world) {}
    [[nodiscard]] std::string version() const override { return "fake"; }
    void use_device(int) override {}

    UniqueId make_unique_id() override {
        const std::lock_guard lock(w_.mutex);
        UniqueId id;
        const std::uint64_t number = ++w_.ids;
        std::memcpy(id.bytes.data(), &number, sizeof number);
        return id;
    }
    NcclCommunicator* make_communicator(const UniqueId& id, int ranks, int rank) override {
        std::unique_lock lock(w_.mutex);
        auto made = std::make_unique<NcclCommunicator>();
        std::memcpy(&made->id, id.bytes.data(), sizeof made->id);
        made->ranks = ranks;
        made->rank = rank;
        if (w_.cannot_join == rank) {
            w_.failed_to_join = true;
            w_.joined.notify_all();
            throw kernels::DeviceFailure("ncclCommInitRank: unhandled system error");
        }
        ++w_.members[made->id];
        w_.joined.notify_all();
        w_.joined.wait(lock, [&] { return w_.members[made->id] == ranks || w_.failed_to_join; });
        if (w_.failed_to_join) throw kernels::DeviceFailure("ncclCommInitRank: a peer is gone");
        ++w_.handles;
        return made.release();
    }
    void destroy(NcclCommunicator* communicator) noexcept override {
        const std::lock_guard lock(w_.mutex);
        --w_.handles;
        delete communicator;
    }
    void abort(NcclCommunicator* communicator) noexcept override {
        const std::lock_guard lock(w_.mutex);
        w_.broken[communicator->id] = true;
        ++w_.aborted;
        --w_.handles;
        delete communicator;
    }
    std::optional<std::string> asynchronous_error(NcclCommunicator* communicator) override {
        const std::lock_guard lock(w_.mutex);
        if (w_.broken[communicator->id]) return "remote process exited or there was a network error";
        const auto fails = w_.fails_after.find(communicator->rank);
        if (fails != w_.fails_after.end() && w_.given[communicator->rank] >= fails->second)
            return "unhandled cuda error";
        return std::nullopt;
    }

    void group_start() override { grouping_ = true; }
    void group_end() override {
        grouping_ = false;
        const std::lock_guard lock(w_.mutex);
        if (!group_.empty()) give();
    }
    void send(NcclCommunicator* c, int peer, const void* data, std::size_t bytes, NcclStream* stream) override {
        add(c, peer, true, const_cast<void*>(data), bytes, stream);
    }
    void receive(NcclCommunicator* c, int peer, void* data, std::size_t bytes, NcclStream* stream) override {
        add(c, peer, false, data, bytes, stream);
    }

    NcclStream* make_stream() override {
        const std::lock_guard lock(w_.mutex);
        ++w_.handles;
        w_.streams.push_back(new NcclStream);
        return w_.streams.back();
    }
    void destroy(NcclStream* stream) noexcept override {
        const std::lock_guard lock(w_.mutex);
        --w_.handles;
        w_.streams.remove(stream);
        delete stream;
    }
    NcclEvent* make_event() override {
        const std::lock_guard lock(w_.mutex);
        ++w_.handles;
        return new NcclEvent;
    }
    void destroy(NcclEvent* event) noexcept override {
        const std::lock_guard lock(w_.mutex);
        --w_.handles;
        delete event;
    }
    void record(NcclEvent* event, NcclStream* stream) override {
        const std::lock_guard lock(w_.mutex);
        *event = {stream, stream->given, FakeClock::now()};
    }
    bool ended(NcclEvent* event) override {
        const std::lock_guard lock(w_.mutex);
        w_.progress();
        return event->stream->ended.size() >= event->after;
    }
    Seconds between(NcclEvent* earlier, NcclEvent* later) override {
        const std::lock_guard lock(w_.mutex);
        return Seconds(std::chrono::duration<double>(later->at() - earlier->at()).count());
    }

  private:
    void add(NcclCommunicator* c, int peer, bool sends, void* data, std::size_t bytes, NcclStream* stream) {
        const std::lock_guard lock(w_.mutex);
        group_.push_back({c, c->id, c->rank, peer, sends, false, static_cast<std::byte*>(data), bytes});
        stream_ = stream;
        if (!grouping_) give();
    }
    void give() {
        ++w_.given[group_.front().rank];
        ++stream_->given;
        stream_->groups.push_back(std::move(group_));
        group_.clear();
    }

    FakeNcclWorld::State& w_;
    bool grouping_ = false;
    std::vector<NcclStream::Operation> group_;
    NcclStream* stream_ = nullptr;
};

}  // namespace

FakeNcclWorld::FakeNcclWorld() : state_(std::make_unique<State>()) {}
FakeNcclWorld::~FakeNcclWorld() = default;
std::unique_ptr<NcclApi> FakeNcclWorld::api() { return std::make_unique<FakeNccl>(*state_); }
void FakeNcclWorld::fail_after(int rank, std::size_t groups) { state_->fails_after[rank] = groups; }
void FakeNcclWorld::fail_to_join(int rank) { state_->cannot_join = rank; }
std::size_t FakeNcclWorld::handles() const {
    const std::lock_guard lock(state_->mutex);
    return state_->handles;
}
std::size_t FakeNcclWorld::aborted() const {
    const std::lock_guard lock(state_->mutex);
    return state_->aborted;
}
std::size_t FakeNcclWorld::groups() const {
    const std::lock_guard lock(state_->mutex);
    return state_->groups;
}

}  // namespace test
}  // namespace moesim
