#pragma once
#include <functional>

namespace simgrid::kernel::timer {
class Timer;
}

namespace moesim {

// A callback at one moment of SimGrid's clock. Setting it again before that moves it.
class Timer {
  public:
    explicit Timer(std::function<void()> callback) : callback_(std::move(callback)) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // At the time `at`, or at once where that is over; infinity for never.
    void set(double at);
    // At the time `at`, if it is not set for sooner.
    void set_by(double at);
    void stop();
    // For when it was last set.
    [[nodiscard]] double at() const { return at_; }

  private:
    std::function<void()> callback_;
    simgrid::kernel::timer::Timer* timer_ = nullptr;  // SimGrid's, until it has gone off
    double at_ = 0;
};

}  // namespace moesim
