#include "network/simulated_cluster.hpp"

#include <fmt/format.h>
#include <xbt/log.h>

#include <cmath>
#include <map>
#include <simgrid/kernel/ProfileBuilder.hpp>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>
#include <unordered_map>

#include "base/error.hpp"
#include "network/fluid_on_clock.hpp"

namespace moesim {
namespace {

namespace s4u = simgrid::s4u;

// A host computes one nominal second in this many of SimGrid's flops. The scale keeps microseconds well above the
// remainders that SimGrid rounds to zero.
constexpr double flops_per_second = 1e12;

// Starts SimGrid quietly and exactly: it must neither print nor round what we ask of it.
std::unique_ptr<s4u::Engine> make_engine() {
    // An engine may have come and gone: the clock, which cannot be set back, tells.
    if (s4u::Engine::is_initialized() || s4u::Engine::get_clock() > 0)
        throw InternalError("a process can hold one simulation only");
    std::string name = "moesim";
    char* arguments[] = {name.data(), nullptr};
    int count = 1;
    auto engine = std::make_unique<s4u::Engine>(&count, arguments);
    xbt_log_control_set("root.thresh:critical");
    for (const char* setting : {"network/model:CM02", "network/crosstraffic:0", "network/TCP-gamma:0",
                                "network/weight-S:0", "maxmin/precision:1e-12", "surf/precision:1e-15"})
        s4u::Engine::set_config(setting);
    return engine;
}

}  // namespace

class SimulatedCluster::Impl {
  public:
    Impl(const Ways& ways, const NetworkSpec& network, const ComputeSpeeds& computing, OnDone on_done)
        : engine_(make_engine()), fabric_(ways.fabric(Way::cluster)), on_done_(std::move(on_done)) {
        const bool fluid = network.model == NetworkKind::fluid;
        auto* zone = fluid ? s4u::create_empty_zone("cluster") : s4u::create_full_zone("cluster");
        for (std::size_t r = 0; r < fabric_.ranks(); ++r)
            hosts_.push_back(zone->create_host(fmt::format("gpu{}", r), flops_per_second));
        share_cores(*zone, computing.shared);
        set_speeds(computing.changes);
        for (s4u::Host* host : hosts_) host->seal();
        if (fluid)
            fluid_ = std::make_unique<FluidOnClock>(ways, network.tolerance, network.faults, on_done_);
        else
            add_links(*zone, ways.shared());
        zone->seal();
        s4u::Activity::on_completion_cb([this](const s4u::Activity& activity) { ended(activity); });
    }

    void start(std::uint32_t token, const s4u::ActivityPtr& activity) {
        running_.emplace(activity.get(), Running{activity, token});
        activity->vetoable_start();
    }

    [[nodiscard]] s4u::Host* host(RankId rank) const { return hosts_[rank.value()]; }
    void compute(std::uint32_t token, RankId rank, Seconds at_nominal_speed) {
        const auto exec = s4u::Exec::init();
        exec->set_flops_amount(at_nominal_speed.value() * flops_per_second);
        const auto machine = machines_.find(rank);
        exec->set_host(machine == machines_.end() ? host(rank) : machine->second.host);
        // A rank is on one core at a time, and no faster there than it is alone.
        if (machine != machines_.end()) exec->set_bound(machine->second.speed * flops_per_second);
        start(token, exec);
    }
    // Nothing where flows are SimGrid's.
    [[nodiscard]] FluidOnClock* fluid() const { return fluid_.get(); }

    void run(std::function<void()> first) {
        simgrid::kernel::timer::Timer::set(0.0, std::move(first));
        engine_->run();
        if (!running_.empty()) throw InternalError("the simulation ended with activities under way");
        if (fluid_) fluid_->check_all_ended();
    }

  private:
    struct Running {
        s4u::ActivityPtr activity;  // SimGrid forgets activities that nobody holds
        std::uint32_t token;
    };
    struct Machine {
        s4u::Host* host;
        double speed;  // of the rank there
    };

    // SimGrid's hosts of several cores share them out evenly among what runs there, each on one core at most.
    void share_cores(s4u::NetZone& zone, const std::vector<SharedCoresSpec>& shared) {
        for (std::size_t i = 0; i < shared.size(); ++i) {
            auto* machine = zone.create_host(fmt::format("cores{}", i), flops_per_second);
            machine->set_core_count(static_cast<int>(shared[i].cores))->seal();
            for (const RankId rank : shared[i].ranks) machines_[rank] = {machine, 1};
        }
    }

    void set_speeds(const std::vector<SpeedChange>& changes) {
        std::map<RankId, std::string> profiles;
        for (const SpeedChange& c : changes) {
            const auto machine = machines_.find(c.rank);
            if (machine == machines_.end())
                profiles[c.rank] += fmt::format("{:.17g} {:.17g}\n", c.at.value(), c.speed);
            else if (c.at > Seconds{})
                throw InternalError("a rank that shares cores changes its speed");
            else
                machine->second.speed = c.speed;
        }
        for (const auto& [rank, text] : profiles)
            host(rank)->set_speed_profile(simgrid::kernel::profile::ProfileBuilder::from_string(
                fmt::format("speed{}", rank.value()), text, -1.0));
    }

    void add_links(s4u::NetZone& zone, const MessageModel& messages) {
        std::vector<s4u::LinkInRoute> links, route;
        for (std::size_t l = 0; l < fabric_.links().size(); ++l) {
            auto* link = zone.create_link(fabric_.links()[l].name, messages.capacity(LinkId(l)).value());
            link->set_latency(0.0)->seal();
            links.emplace_back(link);
        }
        for (std::size_t from = 0; from < fabric_.ranks(); ++from)
            for (std::size_t to = 0; to < fabric_.ranks(); ++to) {
                if (from == to) continue;
                route.clear();
                const Route path = fabric_.route(RankId(from), RankId(to));
                for (const LinkId id : path.links()) route.push_back(links[id.value()]);
                zone.add_route(hosts_[from]->get_netpoint(), hosts_[to]->get_netpoint(), nullptr, nullptr, route,
                               false);
            }
    }

    void ended(const s4u::Activity& activity) {
        const auto at = running_.find(&activity);
        if (at == running_.end()) return;
        // SimGrid still works on the activity when it tells of its end: let go of it one step later.
        last_ended_ = std::move(at->second.activity);
        const std::uint32_t token = at->second.token;
        running_.erase(at);
        on_done_(token);
    }

    std::unique_ptr<s4u::Engine> engine_;
    const Fabric& fabric_;
    OnDone on_done_;
    std::vector<s4u::Host*> hosts_;
    std::map<RankId, Machine> machines_;  // of ranks that share cores
    std::unordered_map<const s4u::Activity*, Running> running_;
    s4u::ActivityPtr last_ended_;
    std::unique_ptr<FluidOnClock> fluid_;
};

SimulatedCluster::SimulatedCluster(const Ways& ways, const NetworkSpec& network, const ComputeSpeeds& computing,
                                   OnDone on_done)
    : impl_(std::make_unique<Impl>(ways, network, computing, std::move(on_done))) {}

SimulatedCluster::~SimulatedCluster() = default;

void SimulatedCluster::start_compute(std::uint32_t token, RankId rank, Seconds at_nominal_speed) {
    impl_->compute(token, rank, at_nominal_speed);
}

void SimulatedCluster::start_flow(std::uint32_t token, Way way, RankId from, RankId to, Bytes bytes,
                                  BytesPerSecond cap) {
    if (impl_->fluid() != nullptr) return impl_->fluid()->start(token, way, from, to, bytes, cap);
    if (way != Way::cluster) throw InternalError("SimGrid's own flows have one route a pair");
    if (std::isfinite(cap.value())) throw InternalError("SimGrid's own flows have no cap");
    const auto comm = s4u::Comm::sendto_init(impl_->host(from), impl_->host(to));
    comm->set_payload_size(static_cast<std::uint64_t>(bytes.value()));
    impl_->start(token, comm);
}

void SimulatedCluster::after(Seconds delay, std::function<void()> callback) {
    simgrid::kernel::timer::Timer::set(now().value() + delay.value(), std::move(callback));
}

Seconds SimulatedCluster::now() const { return Seconds(s4u::Engine::get_clock()); }

NetworkReport SimulatedCluster::report() const {
    if (impl_->fluid() == nullptr) return {};
    return {impl_->fluid()->coarseness(), impl_->fluid()->rerouted(), impl_->fluid()->stalled()};
}

void SimulatedCluster::stop_watching() {
    if (impl_->fluid() != nullptr) impl_->fluid()->stop_watching();
}

void SimulatedCluster::run(std::function<void()> first) { impl_->run(std::move(first)); }

}  // namespace moesim
