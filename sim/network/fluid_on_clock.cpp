#include "network/fluid_on_clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <simgrid/s4u.hpp>

#include "base/error.hpp"

namespace moesim {
namespace {

std::vector<double> values(const std::vector<BytesPerSecond>& capacities) {
    std::vector<double> all;
    for (const BytesPerSecond c : capacities) all.push_back(c.value());
    return all;
}

double clock_now() { return simgrid::s4u::Engine::get_clock(); }

}  // namespace

FluidOnClock::FluidOnClock(const Ways& ways, double tolerance, const FaultsSpec& faults, const OnDone& on_done)
    : ways_(ways), on_done_(on_done), capacity_(values(ways.shared().capacity())), network_(capacity_, tolerance),
      faults_(faults), timer_([this] { wake(); }), fault_timer_([this] { watch(); }) {
    if (faults.links.empty()) return;
    link_faults_.emplace(faults, ways.fabric(Way::cluster));
    detours_.emplace(ways.fabric(Way::cluster));
    left_.resize(capacity_.size(), 1);
    known_ = left_;
    change_capacities(0);
    fault_timer_.set(0);
}

void FluidOnClock::start(std::uint32_t token, Way way, RankId from, RankId to, Bytes bytes, BytesPerSecond cap) {
    if (stalled_) return;  // nobody will look at the rest
    const double now = clock_now();
    const Route route = route_of(way, from, to);
    if (link_faults_) {
        transfers_[token] = {from, to, now, cap.value(), route};
        if (failed_on(route)) fault_timer_.set_by(now + faults_.time_out.value());
    }
    put_on(now, token, route, bytes.as_double(), cap.value());
    // Others may start at this very moment: look at all of them together, as soon as nobody else has a turn.
    if (!awake_) timer_.set_by(now);
}

void FluidOnClock::put_on(double now, std::uint32_t token, const Route& route, double bytes, double cap) {
    links_of_route_.clear();
    for (const LinkId l : route.links()) links_of_route_.push_back(static_cast<fluid::Link>(l.value()));
    network_.start(now, links_of_route_, bytes, cap, token);
}

void FluidOnClock::wake() {
    awake_ = true;
    ended_.clear();
    network_.advance(std::max(clock_now(), timer_.at()), ended_);
    for (const std::uint32_t token : ended_) {
        if (link_faults_) transfers_.erase(token);
        on_done_(token);
    }
    awake_ = false;
    if (!stalled_) timer_.set(network_.next());
}

void FluidOnClock::watch() {
    const double now = std::max(clock_now(), fault_timer_.at());
    const bool changed = change_capacities(now);
    look_for_failures(now);
    if (changed_) reroute(now);
    give_up(now);
    if (stalled_) return timer_.stop();
    double next = link_faults_->next_change(now);
    for (const auto& [link, since] : failed_since_)
        if (faults_.reroute_after && known_[link.value()] > 0)
            next = std::min(next, since + faults_.reroute_after->value());
    if (!failed_since_.empty())
        for (const auto& [token, t] : transfers_)
            if (const auto link = failed_on(t.route))
                next = std::min(next, std::max(t.start, failed_since_.at(*link)) + faults_.time_out.value());
    fault_timer_.set(next);
    if (changed || changed_) timer_.set_by(now);  // to share out anew
    changed_ = false;
}

bool FluidOnClock::change_capacities(double now) {
    bool any = false;
    for (const LinkId link : link_faults_->links()) {
        double& left = left_[link.value()];
        const double is = link_faults_->left(link, now);
        if (is == left) continue;
        any = true;
        left = is;
        network_.set_capacity(now, static_cast<fluid::Link>(link.value()), capacity_[link.value()] * left);
        if (left > 0) {
            failed_since_.erase(link);
            known_[link.value()] = left;
            changed_ = true;
        } else {
            failed_since_.emplace(link, now);
        }
    }
    return any;
}

void FluidOnClock::look_for_failures(double now) {
    if (!faults_.reroute_after) return;
    for (const auto& [link, since] : failed_since_) {
        if (known_[link.value()] <= 0 || since + faults_.reroute_after->value() > now) continue;
        known_[link.value()] = 0;
        changed_ = true;
    }
}

// Also those that found no way before: a link may have come back.
void FluidOnClock::reroute(double now) {
    if (!faults_.reroute_after) return;
    for (auto& [token, t] : transfers_) {
        if (!is_cut(t.route)) continue;
        const auto way = detours_->find(t.from, t.to, known_);
        if (!way) continue;
        const auto left = network_.cancel(now, token);
        if (!left) continue;  // it has ended at this very moment
        t.route = *way;
        put_on(now, token, *way, *left, t.cap);
        ++rerouted_;
    }
}

// The one that has stood still for the longest beyond its time.
void FluidOnClock::give_up(double now) {
    for (const auto& [token, t] : transfers_) {
        const auto link = failed_on(t.route);
        if (!link) continue;
        const double since = std::max(t.start, failed_since_.at(*link));
        if (since + faults_.time_out.value() > now || (stalled_ && stalled_->since.value() <= since)) continue;
        stalled_ = {token, t.from, t.to, *link, Seconds(since), Seconds(now)};
    }
}

Route FluidOnClock::route_of(Way way, RankId from, RankId to) {
    const Route route = ways_.fabric(way).route(from, to);
    if (!link_faults_ || failed_since_.empty() || !is_cut(route)) return route;
    const auto other = detours_->find(from, to, known_);
    rerouted_ += other ? 1 : 0;
    return other.value_or(route);
}

bool FluidOnClock::is_cut(const Route& route) const {
    const auto links = route.links();
    return std::any_of(links.begin(), links.end(), [&](LinkId l) { return known_[l.value()] <= 0; });
}

std::optional<LinkId> FluidOnClock::failed_on(const Route& route) const {
    for (const LinkId l : route.links())
        if (failed_since_.count(l) > 0) return l;
    return std::nullopt;
}

void FluidOnClock::stop_watching() { fault_timer_.stop(); }

void FluidOnClock::check_all_ended() const {
    if (network_.under_way() > 0 && !stalled_)
        throw InternalError(fmt::format("the simulation ended with {} transfers under way", network_.under_way()));
}

}  // namespace moesim
