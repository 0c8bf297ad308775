#include "network/timer.hpp"

#include <algorithm>
#include <cmath>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>

namespace moesim {

void Timer::set(double at) {
    if (timer_ != nullptr && at == at_) return;
    stop();
    if (std::isinf(at)) return;
    at_ = std::max(at, simgrid::s4u::Engine::get_clock());
    timer_ = simgrid::kernel::timer::Timer::set(at_, [this] {
        timer_ = nullptr;
        callback_();
    });
}

void Timer::set_by(double at) {
    if (timer_ == nullptr || at < at_) set(at);
}

void Timer::stop() {
    if (timer_ != nullptr) timer_->remove();
    timer_ = nullptr;
}

}  // namespace moesim
