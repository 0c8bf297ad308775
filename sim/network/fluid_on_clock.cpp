#include "network/fluid_on_clock.hpp"

#include <fmt/format.h>

#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>

#include "base/error.hpp"

namespace moesim {
namespace {

using simgrid::kernel::timer::Timer;

std::vector<double> capacities(const MessageModel& messages) {
    std::vector<double> all;
    for (const BytesPerSecond c : messages.capacity()) all.push_back(c.value());
    return all;
}

double clock_now() { return simgrid::s4u::Engine::get_clock(); }

}  // namespace

FluidOnClock::FluidOnClock(const Ways& ways, double tolerance, const OnDone& on_done)
    : ways_(ways), on_done_(on_done), network_(capacities(ways.shared()), tolerance) {}

void FluidOnClock::start(std::uint32_t token, Way way, RankId from, RankId to, Bytes bytes, BytesPerSecond cap) {
    route_.clear();
    const Route route = ways_.fabric(way).route(from, to);
    for (const LinkId l : route.links()) route_.push_back(static_cast<fluid::Link>(l.value()));
    network_.start(clock_now(), route_, bytes.as_double(), cap.value(), token);
    // Others may start at this very moment: look at all of them together, as soon as nobody else has a turn.
    if (!awake_) set_timer(clock_now());
}

void FluidOnClock::set_timer(double at) {
    if (timer_ != nullptr) {
        if (timer_at_ <= at) return;
        timer_->remove();
    }
    timer_at_ = at;
    timer_ = Timer::set(at, [this] {
        timer_ = nullptr;
        wake();
    });
}

void FluidOnClock::wake() {
    awake_ = true;
    ended_.clear();
    network_.advance(std::max(clock_now(), timer_at_), ended_);
    for (const std::uint32_t token : ended_) on_done_(token);
    awake_ = false;
    const double next = network_.next();
    if (next < fluid::never) set_timer(next);
}

void FluidOnClock::check_all_ended() const {
    if (network_.under_way() > 0)
        throw InternalError(fmt::format("the simulation ended with {} transfers under way", network_.under_way()));
}

}  // namespace moesim
