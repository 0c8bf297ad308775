#pragma once
// A FluidNetwork that SimGrid's clock moves.
#include <functional>
#include <vector>

#include "base/ids.hpp"
#include "base/units.hpp"
#include "network/fluid/fluid_network.hpp"
#include "network/ways.hpp"

namespace simgrid::kernel::timer {
class Timer;
}

namespace moesim {

// Lives beside a running SimGrid engine; at most one of its timers is set at any time.
class FluidOnClock {
  public:
    using OnDone = std::function<void(std::uint32_t token)>;
    // Ways and callback outlive it.
    FluidOnClock(const Ways& ways, double tolerance, const OnDone& on_done);

    // See SimulatedCluster::start_flow.
    void start(std::uint32_t token, Way way, RankId from, RankId to, Bytes bytes, BytesPerSecond cap);
    // Throws InternalError where transfers are left that will never end.
    void check_all_ended() const;
    [[nodiscard]] double coarseness() const { return network_.coarseness(); }

  private:
    void wake();
    void set_timer(double at);

    const Ways& ways_;
    const OnDone& on_done_;
    FluidNetwork network_;
    simgrid::kernel::timer::Timer* timer_ = nullptr;  // SimGrid's, until it has gone off
    double timer_at_ = 0;
    bool awake_ = false;  // inside wake(), which sets the timer itself
    std::vector<std::uint32_t> ended_;
    std::vector<fluid::Link> route_;
};

}  // namespace moesim
