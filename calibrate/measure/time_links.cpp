#include "calibrate/measure/time_links.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>

#include "config/kernel_profile.hpp"

namespace moesim {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t tag = 77;

Clock::duration as_duration(Seconds s) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s.value()));
}

std::vector<double> doubles_of(const std::vector<std::vector<std::byte>>& parts) {
    std::vector<double> all;
    for (const auto& part : parts) {
        const std::size_t begin = all.size();
        all.resize(begin + part.size() / sizeof(double));
        std::memcpy(all.data() + begin, part.data(), part.size() / sizeof(double) * sizeof(double));
    }
    return all;
}

std::size_t size_of(const Transfer& t) { return static_cast<std::size_t>(t.bytes.value()); }

// What one rank has of a case, with memory for it.
class Part {
  public:
    Part(Transport& transport, const LinkCase& what) : transport_(transport), what_(what) {
        std::int64_t largest = 0;
        for (const Transfer& t : what.transfers) {
            if (t.from == transport.rank()) ++messages_, largest = std::max(largest, t.bytes.value());
            if (t.to == transport.rank()) ++messages_, incoming_.push_back(transport.memory(t.bytes.value()));
        }
        if (largest > 0) outgoing_ = transport.memory(largest);
    }
    [[nodiscard]] bool has_any() const { return messages_ > 0; }

    void expect() {
        std::vector<MessageRound> all;
        if (has_any() && !what_.ping_pong) all.push_back({0, {tag}, messages_});
        transport_.expect(all);
    }
    void run() {
        if (what_.ping_pong)
            ping_pong();
        else
            all_at_once();
    }

  private:
    void send(const Transfer& t) { transport_.send(t.to, tag, bytes_of(outgoing_, t), 0); }
    void receive(const Transfer& t, const kernels::Buffer& into) {
        transport_.receive(t.from, tag, bytes_of(into, t), 0);
    }
    static std::span<std::byte> bytes_of(const kernels::Buffer& buffer, const Transfer& t) {
        return {static_cast<std::byte*>(buffer.data()), size_of(t)};
    }
    void wait_for(std::size_t messages) {
        done_.clear();
        while (done_.size() < messages) {
            const std::size_t before = done_.size();
            transport_.completed(done_);
            if (done_.size() == before) std::this_thread::yield();  // ranks may be more than cores
        }
    }
    void all_at_once() {
        std::size_t next = 0;
        for (const Transfer& t : what_.transfers)
            if (t.to == transport_.rank()) receive(t, incoming_[next++]);
        for (const Transfer& t : what_.transfers)
            if (t.from == transport_.rank()) send(t);
        wait_for(messages_);
    }
    void ping_pong() {
        for (const Transfer& t : what_.transfers) {
            if (t.from == transport_.rank()) send(t), wait_for(1);
            if (t.to == transport_.rank()) receive(t, incoming_.front()), wait_for(1);
        }
    }

    Transport& transport_;
    const LinkCase& what_;
    kernels::Buffer outgoing_;
    std::vector<kernels::Buffer> incoming_;
    std::size_t messages_ = 0;
    std::vector<std::size_t> done_;
};

// One sample of a case: on rank 0 what it took, elsewhere 0.
Seconds sample(Transport& transport, Part& part, const LinkCase& what) {
    part.expect();
    transport.barrier();
    std::array<double, 2> own = {transport.now().value(), 0};
    part.run();
    own[1] = (transport.now() - transport.ended_before()).value();
    for (double& moment : own) moment -= transport.clock_ahead().value();
    if (!part.has_any()) own = {-1, -1};
    const auto all = doubles_of(transport.gather(std::as_bytes(std::span(own))));
    if (all.empty()) return {};
    if (what.ping_pong) {  // of the one that began
        const std::size_t first = what.transfers.front().from.value();
        return Seconds((all[2 * first + 1] - all[2 * first]) / 2);
    }
    double begin = 0, end = 0;
    std::size_t ranks = 0;
    for (std::size_t r = 0; 2 * r < all.size(); ++r)
        if (all[2 * r] >= 0) begin += all[2 * r], end = std::max(end, all[2 * r + 1]), ++ranks;
    return Seconds(std::max(end - begin / static_cast<double>(std::max<std::size_t>(ranks, 1)), 1e-9));
}

bool agreed(Transport& transport, bool more) {
    std::byte flag{static_cast<unsigned char>(more ? 1 : 0)};
    transport.broadcast(std::span(&flag, 1));
    return flag != std::byte{0};
}

Timing time_case(Transport& transport, const LinkCase& what, const StopRule& rule) {
    Part part(transport, what);
    std::vector<Seconds> samples;
    Seconds spent = sample(transport, part, what);  // does not count: connections are made, memory is touched
    Verdict verdict = Verdict::more;
    bool more = true;
    while (more) {
        const Seconds took = sample(transport, part, what);
        if (transport.rank() == RankId(0)) {
            samples.push_back(took);
            spent += took;
            verdict = rule.after(samples, spent);
        }
        more = agreed(transport, verdict == Verdict::more);
    }
    if (samples.empty()) return {};
    Timing timing = summed_up(std::move(samples));
    timing.settled = verdict == Verdict::settled;
    return timing;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

}  // namespace

Seconds exchange_once(Transport& transport, const LinkCase& what) {
    Part part(transport, what);
    if (!part.has_any()) return {};
    part.expect();
    const Seconds begin = transport.now();
    part.run();
    const Seconds took = transport.now() - begin;
    return what.ping_pong ? took * 0.5 : took;
}

std::vector<LinkTimes> time_links(Transport& transport, const std::vector<LinkCase>& cases, const LinkTiming& options,
                                  const std::function<void(double)>& progress) {
    std::vector<LinkTimes> times;
    const Seconds begin = transport.now();
    for (std::size_t i = 0; i < cases.size(); ++i) {
        // Of the time that is left, what comes between the samples included.
        const Seconds left(std::max(0.0, (options.budget - (transport.now() - begin)).value()) /
                           static_cast<double>(cases.size() - i));
        const MedianWithin within(options.share, left);
        Timing timing = time_case(transport, cases[i], Until(Clock::now() + as_duration(left), within));
        if (transport.rank() == RankId(0)) times.push_back({cases[i], std::move(timing)});
        progress(static_cast<double>(i + 1) / static_cast<double>(cases.size()));
    }
    return times;
}

std::string link_samples_csv(const std::vector<LinkTimes>& times) {
    std::string text;
    for (const LinkTimes& t : times)
        for (std::size_t i = 0; i < t.timing.samples.size(); ++i)
            text += fmt::format("exchange,\"{}\",{},1,{},{}\n", t.what.shape, std::string(kernel_quantities - 1, ','),
                                i, t.timing.samples[i].value());
    return text;
}

Interference interference(Transport& transport, const LinkCase& exchange, const std::function<void()>& work,
                          Seconds budget) {
    const MedianWithin within(0.03, budget * 0.4);
    const Timing alone = time_case(transport, exchange, Until(Clock::now() + as_duration(budget * 0.4), within));
    // Work alone: each rank's own, as it is when all others compute as well.
    transport.barrier();
    const auto timed_work = [&] {
        const Seconds begin = transport.now();
        work();
        return (transport.now() - begin).value();
    };
    std::vector<double> computed;
    const Seconds compute_begin = transport.now();
    do computed.push_back(timed_work());
    while (computed.size() < 5 || (transport.now() - compute_begin < budget * 0.2 && computed.size() < 200));
    transport.barrier();

    std::vector<double> beside;
    std::exception_ptr failure;
    std::jthread computing([&](const std::stop_token& stop) {
        try {
            do beside.push_back(timed_work());
            while (!stop.stop_requested());
        } catch (...) {
            failure = std::current_exception();
        }
    });
    const Timing together = time_case(transport, exchange, Until(Clock::now() + as_duration(budget * 0.4), within));
    computing.request_stop();
    computing.join();
    if (failure) std::rethrow_exception(failure);
    // The last one may have had no messages beside it.
    if (beside.size() > 1) beside.pop_back();
    const double slower = median(beside) / median(computed);
    const auto all = doubles_of(transport.gather(std::as_bytes(std::span(&slower, 1))));
    if (all.empty()) return {};
    return {median(all), together.median / alone.median};
}

}  // namespace moesim
