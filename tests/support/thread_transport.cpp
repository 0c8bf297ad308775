#include "support/thread_transport.hpp"

#include <barrier>
#include <cstring>
#include <exception>
#include <thread>
#include <tuple>

namespace moesim {
namespace {

using Key = std::tuple<std::size_t, std::size_t, std::uint32_t>;  // from, to, tag

// What all ranks of a run share.
struct Shared {
    explicit Shared(std::size_t n) : ranks(n), meeting(static_cast<std::ptrdiff_t>(n)), given(n) {}
    std::size_t ranks;
    std::mutex mutex;
    std::map<Key, std::deque<std::vector<std::byte>>> mail;
    std::barrier<> meeting;
    std::vector<std::vector<std::byte>> given;
};

class ThreadTransport final : public Transport {
  public:
    ThreadTransport(Shared& shared, std::size_t rank) : shared_(shared), rank_(rank) {}
    [[nodiscard]] std::size_t ranks() const override { return shared_.ranks; }
    [[nodiscard]] RankId rank() const override { return RankId(rank_); }
    void send(RankId to, std::uint32_t tag, std::span<const std::byte> bytes, std::size_t what) override {
        const std::lock_guard lock(shared_.mutex);
        shared_.mail[{rank_, to.value(), tag}].emplace_back(bytes.begin(), bytes.end());
        sent_.push_back(what);
    }
    void receive(RankId from, std::uint32_t tag, std::span<std::byte> bytes, std::size_t what) override {
        waiting_.push_back({{from.value(), rank_, tag}, bytes, what});
    }
    void completed(std::vector<std::size_t>& what) override {
        what.insert(what.end(), sent_.begin(), sent_.end());
        sent_.clear();
        const std::lock_guard lock(shared_.mutex);
        std::deque<Waiting> rest;
        for (const Waiting& w : waiting_) {
            auto& mail = shared_.mail[w.key];
            if (mail.empty()) {
                rest.push_back(w);
                continue;
            }
            if (mail.front().size() != w.bytes.size()) throw std::runtime_error("a message of another size");
            std::copy(mail.front().begin(), mail.front().end(), w.bytes.begin());
            mail.pop_front();
            what.push_back(w.what);
        }
        waiting_ = std::move(rest);
    }
    void barrier() override { shared_.meeting.arrive_and_wait(); }
    std::vector<std::vector<std::byte>> gather(std::span<const std::byte> bytes) override {
        shared_.given[rank_].assign(bytes.begin(), bytes.end());
        barrier();
        auto all = rank_ == 0 ? shared_.given : std::vector<std::vector<std::byte>>{};
        barrier();
        return all;
    }
    void broadcast(std::span<std::byte> bytes) override {
        if (rank_ == 0) shared_.given[0].assign(bytes.begin(), bytes.end());
        barrier();
        std::copy(shared_.given[0].begin(), shared_.given[0].end(), bytes.begin());
        barrier();
    }
    [[nodiscard]] Seconds clock_ahead() const override { return {}; }

  private:
    struct Waiting {
        Key key;
        std::span<std::byte> bytes;
        std::size_t what = 0;
    };
    Shared& shared_;
    std::size_t rank_;
    std::vector<std::size_t> sent_;
    std::deque<Waiting> waiting_;
};

}  // namespace

void on_threads(std::size_t ranks, const std::function<void(Transport&)>& work) {
    Shared shared(ranks);
    std::vector<std::exception_ptr> failures(ranks);
    std::vector<std::thread> threads;
    for (std::size_t r = 0; r < ranks; ++r)
        threads.emplace_back([&, r] {
            try {
                ThreadTransport transport(shared, r);
                work(transport);
            } catch (...) {
                failures[r] = std::current_exception();
                shared.meeting.arrive_and_drop();
            }
        });
    for (std::thread& t : threads) t.join();
    for (const auto& failure : failures)
        if (failure) std::rethrow_exception(failure);
}

}  // namespace moesim
