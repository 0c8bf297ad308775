#pragma once
// A FluidNetwork that SimGrid's clock moves, with links that fail and recover.
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/units.hpp"
#include "network/detour.hpp"
#include "network/fluid/fluid_network.hpp"
#include "network/link_faults.hpp"
#include "network/simulated_cluster.hpp"
#include "network/timer.hpp"
#include "network/ways.hpp"

namespace moesim {

// Lives beside a running SimGrid engine.
class FluidOnClock {
  public:
    using OnDone = std::function<void(std::uint32_t token)>;
    // Ways and callback outlive it.
    FluidOnClock(const Ways& ways, double tolerance, const FaultsSpec& faults, const OnDone& on_done);

    // See SimulatedCluster::start_flow.
    void start(std::uint32_t token, Way way, RankId from, RankId to, Bytes bytes, BytesPerSecond cap);
    // Nothing more will be started: links need not be watched any longer.
    void stop_watching();
    // Throws InternalError where transfers are left that will never end, and none has stalled.
    void check_all_ended() const;
    // The first that did; nothing more is simulated then.
    [[nodiscard]] const std::optional<StalledTransfer>& stalled() const { return stalled_; }
    [[nodiscard]] double coarseness() const { return network_.coarseness(); }
    [[nodiscard]] std::int64_t rerouted() const { return rerouted_; }

  private:
    // What is needed to send a transfer another way; kept only where links may fail.
    struct Transfer {
        RankId from, to;
        double start = 0, cap = 0;
        Route route;
    };
    void wake();
    void watch();
    // False where nothing has changed.
    bool change_capacities(double now);
    void look_for_failures(double now);
    void reroute(double now);
    void give_up(double now);
    [[nodiscard]] Route route_of(Way way, RankId from, RankId to);
    // True where routing knows that a link of the route has failed.
    [[nodiscard]] bool is_cut(const Route& route) const;
    // A link of the route that has failed.
    [[nodiscard]] std::optional<LinkId> failed_on(const Route& route) const;
    void put_on(double now, std::uint32_t token, const Route& route, double bytes, double cap);

    const Ways& ways_;
    const OnDone& on_done_;
    std::vector<double> capacity_;  // [link], unimpaired
    FluidNetwork network_;
    FaultsSpec faults_;
    std::optional<LinkFaults> link_faults_;
    std::optional<Detours> detours_;  // where links may fail
    Timer timer_, fault_timer_;
    bool awake_ = false;  // inside wake(), which sets the timer itself
    std::vector<std::uint32_t> ended_;
    std::vector<fluid::Link> links_of_route_;

    std::map<std::uint32_t, Transfer> transfers_;
    std::map<LinkId, double> failed_since_;  // links without capacity
    std::vector<double> left_;               // [link] part of its capacity
    std::vector<double> known_;              // [link] the same, as routing knows it: a failure only after its detection
    bool changed_ = false;                   // what routing knows, since transfers last looked for other ways
    std::int64_t rerouted_ = 0;
    std::optional<StalledTransfer> stalled_;
};

}  // namespace moesim
