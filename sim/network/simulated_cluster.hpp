#pragma once
// SimGrid's clock with one host a GPU and the fabric's links: what is started here takes simulated time.
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/units.hpp"
#include "config/scenario.hpp"
#include "network/ways.hpp"

namespace moesim {

// From a moment on a GPU runs at `speed` times its nominal rate.
struct SpeedChange {
    RankId rank;
    Seconds at;
    double speed = 1;
};

// How fast ranks compute. Changes of one rank are in the order of their times; that of a rank that shares cores is at
// 0.
struct ComputeSpeeds {
    std::vector<SpeedChange> changes;
    std::vector<SharedCoresSpec> shared;  // no rank in two of them
};

// A transfer that stood still for as long as faults.time_out.
struct StalledTransfer {
    std::uint32_t token = 0;
    RankId from, to;
    LinkId link;         // that has failed
    Seconds since, now;  // no byte moved between these
};

// What the fluid network has to say of itself; nothing to say of SimGrid's own.
struct NetworkReport {
    double coarseness = 0;      // see FluidNetwork::coarseness
    std::int64_t rerouted = 0;  // transfers that took another way when a link failed
    std::optional<StalledTransfer> stalled;
};

// One simulation. SimGrid's clock cannot be set back, so a process holds one of these in its life: making a second
// one throws InternalError.
//
// Flows share links max-min fairly. With the model `simgrid` they are SimGrid's: CM02 without cross-traffic, TCP window
// and RTT weights; with `fluid` a FluidNetwork moves them on SimGrid's clock. Latencies are no part of either: whoever
// starts a flow waits first.
class SimulatedCluster {
  public:
    // Called with the token of whatever has just ended; may start more.
    using OnDone = std::function<void(std::uint32_t token)>;

    // The model `simgrid` knows Way::cluster only. `ways` outlive it.
    SimulatedCluster(const Ways& ways, const NetworkSpec& network, const ComputeSpeeds& computing, OnDone on_done);
    ~SimulatedCluster();
    SimulatedCluster(const SimulatedCluster&) = delete;
    SimulatedCluster& operator=(const SimulatedCluster&) = delete;

    // Each of these takes a positive amount.
    void start_compute(std::uint32_t token, RankId rank, Seconds at_nominal_speed);
    // `cap`: the most that it takes of any link; only the fluid network has that, others throw InternalError.
    void start_flow(std::uint32_t token, Way way, RankId from, RankId to, Bytes bytes,
                    BytesPerSecond cap = BytesPerSecond(std::numeric_limits<double>::infinity()));
    // Calls back after a delay; not through on_done, so that it can serve as a part of something larger.
    void after(Seconds delay, std::function<void()> callback);

    [[nodiscard]] Seconds now() const;
    [[nodiscard]] NetworkReport report() const;
    // Nothing more will be started: links that fail and recover need not be watched any longer.
    void stop_watching();
    // Advances the clock until nothing is left to end. `first` starts the first things, on the running clock.
    void run(std::function<void()> first);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace moesim
