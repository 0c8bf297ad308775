#include "calibrate/measure/measure_ranks.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/error.hpp"
#include "calibrate/rounding.hpp"

namespace moesim {
namespace {

constexpr std::uint32_t go_on = 76;  // tag
constexpr Seconds budget{120}, quick_budget{12};

}  // namespace

Bytes usual_message(const Scenario& s) {
    const double parts = static_cast<double>(s.parallelism.data * s.schedule.micro_batches * s.schedule.chunks);
    const double choices = static_cast<double>(s.batch.tokens() * s.model.top_k) / parts;
    const double row = static_cast<double>(s.model.hidden) * bytes_of(s.dispatch.dtype);
    return Bytes(static_cast<std::int64_t>(choices * row / static_cast<double>(s.parallelism.expert)) + 1);
}

void wait_for_first(Transport& transport) {
    std::array<std::byte, 1> nothing{};
    std::vector<std::size_t> done;
    const bool first = transport.rank() == RankId(0);
    if (first)
        for (std::size_t r = 1; r < transport.ranks(); ++r) transport.send(RankId(r), go_on, nothing, r);
    else
        transport.receive(RankId(0), go_on, nothing, 0);
    while (done.size() < (first ? transport.ranks() - 1 : 1)) {
        transport.completed(done);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

RankMeasurement measure_links(Transport& transport, const Scenario& scenario, bool quick, const std::string& how,
                              const std::function<void()>& work, Profile& profile,
                              const std::function<void(std::string_view, double)>& progress) {
    const Fabric fabric = build_fabric(scenario.topology);
    const std::vector<LinkCase> cases = link_cases(fabric, usual_message(scenario), quick);
    RankMeasurement result;
    if (cases.empty()) return result;
    LinkTiming options;
    options.share = quick ? 0.03 : 0.01;
    options.budget = quick ? quick_budget : budget;
    result.times = time_links(transport, cases, options, [&](double share) { progress("links", share); });
    const Interference both = interference(transport, cases.back(), work, options.budget * 0.2);
    if (transport.rank() != RankId(0)) return result;
    result.notes = fit_links(profile, fabric, result.times, how);
    const std::string source =
        fmt::format("{} {} ranks, all of which exchange messages and compute at once.", how, transport.ranks());
    const auto kept = [](double v) { return four_digits(std::clamp(v, 0.1, 1000.0)); };
    profile.kernels.overlap = OverlapProfile{{kept(both.compute), source}, {kept(both.communication), source}};
    result.notes.push_back(
        fmt::format("measured  overlapped: computing takes {:.2f} times as long, messages {:.2f} times", both.compute,
                    both.communication));
    return result;
}

}  // namespace moesim
