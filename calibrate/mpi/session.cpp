#include "calibrate/mpi/session.hpp"

#include <mpi.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <limits>

#include "base/machine_lacks.hpp"
#include "calibrate/testbed/launch.hpp"

namespace moesim {
namespace {

int as_count(std::size_t bytes) {
    if (bytes > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        throw InputError("a message of more than 2 GiB: $.schedule.chunks or micro_batches have to cut it");
    return static_cast<int>(bytes);
}

class MpiTransport final : public Transport {
  public:
    explicit MpiTransport(bool own_clock) : own_clock_(own_clock) {
        int rank = 0, ranks = 1;
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
        MPI_Comm_size(MPI_COMM_WORLD, &ranks);
        rank_ = RankId(static_cast<std::size_t>(rank));
        ranks_ = static_cast<std::size_t>(ranks);
        ahead_ = measure_clock();
    }

    [[nodiscard]] std::size_t ranks() const override { return ranks_; }
    [[nodiscard]] RankId rank() const override { return rank_; }

    void send(RankId to, std::uint32_t tag, std::span<const std::byte> bytes, std::size_t what) override {
        const int count = as_count(bytes.size());
        // Synchronous: a send has ended when its receiver has it, not when it left for some buffer.
        MPI_Issend(bytes.data(), count, MPI_BYTE, static_cast<int>(to.value()), static_cast<int>(tag), MPI_COMM_WORLD,
                   request(what));
    }
    void receive(RankId from, std::uint32_t tag, std::span<std::byte> bytes, std::size_t what) override {
        const int count = as_count(bytes.size());
        MPI_Irecv(bytes.data(), count, MPI_BYTE, static_cast<int>(from.value()), static_cast<int>(tag), MPI_COMM_WORLD,
                  request(what));
    }
    void completed(std::vector<std::size_t>& what) override { take(what, MPI_Testsome); }
    // On a testbed messages go whole, by the kernel alone, and each look takes time from a core that carries packets.
    // Elsewhere MPI may move a long message in pieces, one a look.
    [[nodiscard]] std::chrono::microseconds between_looks_at_most() const override {
        return on_testbed_ ? 10 * between_looks() : between_looks();
    }
    void wait(std::vector<std::size_t>& what) override { take(what, MPI_Waitsome); }

    void barrier() override { MPI_Barrier(MPI_COMM_WORLD); }
    std::vector<std::vector<std::byte>> gather(std::span<const std::byte> bytes) override {
        const bool root = rank_ == RankId(0);
        const int own = as_count(bytes.size());
        std::vector<int> sizes(root ? ranks_ : 0), at;
        MPI_Gather(&own, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, MPI_COMM_WORLD);
        for (std::size_t r = 0, sum = 0; r < sizes.size(); sum += static_cast<std::size_t>(sizes[r++]))
            at.push_back(as_count(sum));
        std::vector<std::byte> all(root ? static_cast<std::size_t>(at.back() + sizes.back()) : 0);
        MPI_Gatherv(bytes.data(), own, MPI_BYTE, all.data(), sizes.data(), at.data(), MPI_BYTE, 0, MPI_COMM_WORLD);
        std::vector<std::vector<std::byte>> parts;
        for (std::size_t r = 0; r < sizes.size(); ++r)
            parts.emplace_back(all.begin() + at[r], all.begin() + at[r] + sizes[r]);
        return parts;
    }
    void broadcast(std::span<std::byte> bytes) override {
        MPI_Bcast(bytes.data(), as_count(bytes.size()), MPI_BYTE, 0, MPI_COMM_WORLD);
    }
    [[nodiscard]] Seconds now() const override { return own_clock_ ? Seconds(MPI_Wtime()) : Transport::now(); }
    void sleep_until(Seconds time) override {
        if (!own_clock_) return Transport::sleep_until(time);
        const double rest = std::max((time - now()).value(), 0.0);
        const timespec wait = {static_cast<std::time_t>(rest), std::lround(std::fmod(rest, 1.0) * 999'999'999)};
        nanosleep(&wait, nullptr);  // by name, since a simulated MPI replaces it
    }
    [[nodiscard]] Seconds clock_ahead() const override { return ahead_; }

  private:
    // What some has completed: MPI_Testsome, or MPI_Waitsome.
    template <class Some>
    void take(std::vector<std::size_t>& what, Some some) {
        if (requests_.empty()) return;
        int count = 0;
        indices_.resize(requests_.size());
        some(static_cast<int>(requests_.size()), requests_.data(), &count, indices_.data(), MPI_STATUSES_IGNORE);
        if (count == 0 || count == MPI_UNDEFINED) return;
        std::sort(indices_.begin(), indices_.begin() + count);
        for (int i = 0; i < count; ++i)
            what.push_back(what_[static_cast<std::size_t>(indices_[static_cast<std::size_t>(i)])]);
        for (int i = count; i-- > 0;) {  // from the last on, so that places before stay what they are
            const auto at = static_cast<std::size_t>(indices_[static_cast<std::size_t>(i)]);
            requests_[at] = requests_.back();
            what_[at] = what_.back();
            requests_.pop_back();
            what_.pop_back();
        }
    }
    // A new one, to be begun.
    MPI_Request* request(std::size_t what) {
        what_.push_back(what);
        return &requests_.emplace_back(MPI_REQUEST_NULL);
    }

    // Of several round trips to rank 0, the shortest one tells best what its clock shows halfway (Cristian, Distributed
    // Computing 3, 1989).
    Seconds measure_clock() {
        constexpr int trips = 20;
        double ahead = 0, shortest = std::numeric_limits<double>::infinity();
        for (int peer = 1; peer < static_cast<int>(ranks_); ++peer)
            for (int i = 0; i < trips; ++i) {
                double there = 0;
                if (rank_ == RankId(0)) {
                    MPI_Recv(&there, 1, MPI_DOUBLE, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
                    there = now().value();
                    MPI_Send(&there, 1, MPI_DOUBLE, peer, 0, MPI_COMM_WORLD);
                } else if (static_cast<int>(rank_.value()) == peer) {
                    const double begin = now().value();
                    MPI_Send(&begin, 1, MPI_DOUBLE, 0, 0, MPI_COMM_WORLD);
                    MPI_Recv(&there, 1, MPI_DOUBLE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
                    const double end = now().value();
                    if (end - begin < shortest) {
                        shortest = end - begin;
                        ahead = (begin + end) / 2 - there;
                    }
                }
            }
        return Seconds(ahead);
    }

    bool own_clock_;  // MPI's, not the machine's
    bool on_testbed_ = std::getenv(testbed::environment_variable) != nullptr;
    RankId rank_;
    std::size_t ranks_ = 1;
    Seconds ahead_;
    std::vector<MPI_Request> requests_;
    std::vector<std::size_t> what_;  // [request]
    std::vector<int> indices_;
};

std::string name_of_host() {
    std::string name(MPI_MAX_PROCESSOR_NAME, '\0');
    int length = 0;
    MPI_Get_processor_name(name.data(), &length);
    name.resize(static_cast<std::size_t>(length));
    return name;
}

std::string name_of_library() {
    std::string name(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
    int length = 0;
    MPI_Get_library_version(name.data(), &length);
    name.resize(static_cast<std::size_t>(length));
    return name.substr(0, name.find(','));
}

}  // namespace

struct MpiSession::State {
    std::unique_ptr<MpiTransport> transport;
    std::string host, version;
    int local_rank = 0, local_ranks = 1;
};

MpiSession::MpiSession(Computing computing) : state_(std::make_unique<State>()) {
    const bool alone = computing == Computing::between_messages;
    const int needed = alone ? MPI_THREAD_SINGLE : MPI_THREAD_FUNNELED;
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, needed, &provided);
    if (provided < needed) throw MachineLacks("this MPI does not allow threads beside the one that sends");
    state_->transport = std::make_unique<MpiTransport>(alone);
    state_->host = name_of_host();
    state_->version = name_of_library();
    MPI_Comm local = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &local);
    MPI_Comm_rank(local, &state_->local_rank);
    MPI_Comm_size(local, &state_->local_ranks);
    MPI_Comm_free(&local);
}

MpiSession::~MpiSession() {
    state_->transport.reset();
    MPI_Finalize();
}

Transport& MpiSession::transport() { return *state_->transport; }
const std::string& MpiSession::host() const { return state_->host; }
const std::string& MpiSession::version() const { return state_->version; }
int MpiSession::local_rank() const { return state_->local_rank; }
int MpiSession::local_ranks() const { return state_->local_ranks; }

void MpiSession::abort(int exit_code) {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::abort();  // not reached: MPI_Abort ends the process, but does not say so
}

}  // namespace moesim
