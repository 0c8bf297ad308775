#include "network/fluid/island.hpp"

#include <algorithm>

namespace moesim::fluid {
namespace {

// Ends this close to each other, relative to how long a flow lasts, are one: they differ by rounding only.
constexpr double same = 1e-11;
// Flows whose projected end lies this far behind the window, relative to its length, may end in it after all, as others
// leave them capacity.
constexpr double margin = 0.02;
constexpr double little = 0.1;  // of a link's capacity

}  // namespace

void leave_links(const FlowTable& flows, LinkTable& table, Flow f) {
    const Link* route = flows.route(f);
    for (std::size_t i = 0; i < flows.width(); ++i) --table.under_way[FlowTable::link(route[i])];
}

void Island::join(const LinkTable& table, FlowTable& flows) {
    catch_up(table);
    flows_.append(flows);
    indexed_ = false;
    changed_ = true;
}

void Island::join(const LinkTable& table, Island& other) {
    other.catch_up(table);
    join(table, other.flows_);
}

double Island::cancel(LinkTable& table, Flow f) {
    changed_ = true;
    catch_up(table);
    leave_links(flows_, table, f);
    flows_.end(f);
    if (indexed_) max_min_.ended(flows_, table, f);
    return std::max(flows_.remaining[f], 0.0);
}

void Island::advance(LinkTable& table, double now) {
    catch_up(table);
    behind_ = empty() ? 0 : now - time_;
    if (told_ < ends_.size()) {
        // The window is cut short. Flows that would have ended with it stand aside, so that only the others catch up.
        catch_up(table);
        const double left = now < window_end_ ? (window_end_ - now) / (window_end_ - time_) : 0;
        for (std::size_t i = told_; i < ends_.size(); ++i) {
            flows_.bring_back(ends_[i].flow);
            flows_.remaining[ends_[i].flow] *= left;
        }
    }
    for (std::size_t i = 0; i < told_; ++i) {
        const Flow f = ends_[i].flow;
        flows_.bring_back(f);
        flows_.end(f);
        if (indexed_) max_min_.ended(flows_, table, f);
    }
    ends_.clear();
    told_ = 0;
    time_ = now;
    window_end_ = never;
}

// Flows move lazily: by catch_up(), or by the next project_ends(), which passes over all of them anyway.
void Island::catch_up(const LinkTable& table) {
    if (behind_ > 0)
        for (Flow f = 0; f < flows_.size(); ++f)
            if (!flows_.aside(f)) flows_.remaining[f] -= rate_of(flows_, table.level, f) * behind_;
    behind_ = 0;
}

template <std::size_t width>
Flow Island::project_ends(const LinkTable& table) {
    end_at_.resize(flows_.size());
    const std::size_t places = width == 0 ? flows_.width() : width;
    const double *before = table.level_before.data(), *after = table.level.data();
    double first = never;
    Flow earliest = 0;
    for (Flow f = 0; f < flows_.size(); ++f) {
        const Link* route = flows_.route(f);
        double moved = flows_.cap(f), rate = moved;
        if (!flows_.aside(f)) {
            for (std::size_t i = 0; i < places; ++i) {
                moved = std::min(moved, before[route[i]]);
                rate = std::min(rate, after[route[i]]);
            }
            double& left = flows_.remaining[f];
            if (behind_ > 0) left = std::max(left - moved * behind_, 0.0);
            end_at_[f] = rate > 0 ? time_ + left / rate : never;
        } else {
            end_at_[f] = never;
        }
        if (end_at_[f] < first) {
            first = end_at_[f];
            earliest = f;
        }
    }
    behind_ = 0;
    return earliest;
}

std::size_t Island::find_window(const LinkTable& table, double tolerance, Flow earliest) {
    candidates_.clear();
    const double first = end_at_[earliest];
    if (first == never) return 0;
    const double tie = first + same * (first - flows_.started[earliest]);
    const double last = tolerance > 0 ? std::max(tie, first + horizon_) : tie;
    const double seen = tolerance > 0 ? last + std::max(margin, left_) * (last - time_) : tie;
    for (Flow f = 0; f < end_at_.size(); ++f)
        if (end_at_[f] <= seen) candidates_.push_back({end_at_[f], f});
    std::sort(candidates_.begin(), candidates_.end());

    ending_.resize(table.capacity.size(), 0.0);
    double share = 0, most = 0;
    std::size_t taken = 0;
    for (; taken < candidates_.size() && candidates_[taken].at <= last; ++taken) {
        const auto [at, f] = candidates_[taken];
        const double rate = rate_of(flows_, table.level, f);
        const Link* route = flows_.route(f);
        for (std::size_t i = 0; i < flows_.width(); ++i)
            if (table.level[route[i]] != never)
                share = std::max(share, (ending_[route[i]] += rate) / table.capacity[route[i]]);
        if (at <= tie) continue;
        const double coarse = share * (at - first) / (at - flows_.started[f]);
        if (coarse > tolerance) break;
        most = std::max(most, coarse);
    }
    for (std::size_t i = 0; i < std::min(taken + 1, candidates_.size()); ++i) {
        const Link* route = flows_.route(candidates_[i].flow);
        for (std::size_t k = 0; k < flows_.width(); ++k)
            if (route[k] != table.sink()) ending_[route[k]] = 0;
    }
    coarseness_ = std::max(coarseness_, most);
    left_ = share;
    const double length = candidates_[taken - 1].at - first;
    const bool all = taken == candidates_.size() || candidates_[taken].at > last;
    horizon_ = all ? std::max(2 * horizon_, tolerance * (first - flows_.started[earliest])) : 1.5 * length;
    return taken;
}

void Island::set_caps(double window) {
    const auto cap_of = [&](Flow f) { return std::min(flows_.remaining[f] / window, flows_.cap(f)); };
    caps_.clear();
    for (const End& c : candidates_) caps_.emplace_back(cap_of(c.flow), c.flow);
    std::sort(caps_.begin(), caps_.end());
    const double seen = candidates_.back().at;
    const auto middle = static_cast<std::ptrdiff_t>(caps_.size());
    for (const auto& [cap, f] : own_caps_)
        if (!flows_.aside(f) && end_at_[f] > seen) caps_.emplace_back(cap, f);
    std::inplace_merge(caps_.begin(), caps_.begin() + middle, caps_.end());
}

void Island::average(LinkTable& table, std::size_t taken) {
    window_end_ = candidates_[taken - 1].at;
    const double window = window_end_ - time_, first = candidates_[0].at;
    const bool together = window > 0 && first < window_end_;
    if (together) {
        set_caps(window);
        max_min_.solve(flows_, table, caps_);
    } else {
        candidates_.resize(taken);
    }
    for (const auto& [at, f] : candidates_) {
        if (together) {
            const double fair = rate_of(flows_, table.level, f);
            if (fair * window < flows_.remaining[f] * (1 - 1e-9)) continue;  // one from behind the window, and stays so
            // What others leave it inside the window makes it a little earlier.
            const double sooner = fair < never ? time_ + flows_.remaining[f] / fair : at;
            ends_.push_back({std::clamp(sooner, first, std::min(at, window_end_)), f});
        } else {
            ends_.push_back({at, f});
        }
    }
    std::sort(ends_.begin(), ends_.end());
    for (const End& e : ends_) flows_.set_aside(e.flow);
}

void Island::share_out(LinkTable& table, double tolerance) {
    // Ended flows are passed over until there are so many that going without them pays.
    if (!indexed_ || flows_.alive() < flows_.size() - flows_.size() / 8) {
        flows_.compact();
        max_min_.index(flows_, table.capacity.size());
        own_caps_.clear();
        for (Flow f = 0; flows_.capped() && f < flows_.size(); ++f)
            if (flows_.cap(f) < never) own_caps_.emplace_back(flows_.cap(f), f);
        std::sort(own_caps_.begin(), own_caps_.end());
        indexed_ = true;
    }
    if (empty()) return;
    for (const Link l : max_min_.links()) table.level_before[l] = table.level[l];
    // Where only little of any link was left by the last window's ends, its levels will do to see which flows end next.
    if (tolerance == 0 || changed_ || left_ > little) {
        caps_.clear();
        for (const auto& c : own_caps_)
            if (!flows_.aside(c.second)) caps_.push_back(c);
        max_min_.solve(flows_, table, caps_);
    }
    changed_ = false;
    const Flow earliest = flows_.width() == 2   ? project_ends<2>(table)
                          : flows_.width() == 4 ? project_ends<4>(table)
                                                : project_ends<0>(table);
    const std::size_t taken = find_window(table, tolerance, earliest);
    if (taken > 0) average(table, taken);
}

double Island::next() const { return told_ < ends_.size() ? ends_[told_].at : window_end_; }

void Island::take_ended(LinkTable& table, double now, std::vector<Token>& ended) {
    for (; told_ < ends_.size() && ends_[told_].at <= now; ++told_) {
        const Flow f = ends_[told_].flow;
        ended.push_back(flows_.token[f]);
        leave_links(flows_, table, f);
    }
}

}  // namespace moesim::fluid
