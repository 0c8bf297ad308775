#include "network/fluid/fluid_network.hpp"

#include <algorithm>

namespace moesim {

using fluid::Flow;
using fluid::FlowTable;
using fluid::never;

namespace {

// Below this many transfers in an island exact steps cost less than anybody notices.
constexpr std::size_t few = 512;

}  // namespace

FluidNetwork::FluidNetwork(std::vector<double> capacity, double tolerance)
    : links_(std::move(capacity)), tolerance_(tolerance), parent_(links_.capacity.size()), groups_(parent_.size()) {
    for (Link l = 0; l < parent_.size(); ++l) parent_[l] = l;
}

FluidNetwork::Link FluidNetwork::root(Link link) {
    while (parent_[link] != link) {
        parent_[link] = parent_[parent_[link]];
        link = parent_[link];
    }
    return link;
}

// Two groups become one: what is under way in both goes on from now.
FluidNetwork::Group& FluidNetwork::group_of(std::span<const Link> route) {
    Link kept = root(route[0]);
    if (!groups_[kept]) {
        groups_[kept] = std::make_unique<Group>(links_.sink());
        groups_[kept]->links = {kept};
    }
    for (const Link link : route) {
        Link other = root(link);
        if (other == kept) continue;
        if (groups_[other] && groups_[other]->links.size() > groups_[kept]->links.size()) std::swap(kept, other);
        Group& group = *groups_[kept];
        parent_[other] = kept;
        if (!groups_[other]) {
            group.links.push_back(other);
            continue;
        }
        Group& merged = *groups_[other];
        if (!group.island.empty() || !merged.island.empty()) {
            touch(group);
            touch(merged);
            group.island.join(links_, merged.island);
        }
        group.pending.append(merged.pending);
        group.looked_at = 0;
        group.links.insert(group.links.end(), merged.links.begin(), merged.links.end());
        queue_.erase({merged.next, other});
        groups_[other].reset();
    }
    return *groups_[kept];
}

// Brings its island to this moment, before something about it changes.
void FluidNetwork::touch(Group& group) {
    if (group.touched) return;
    group.touched = true;
    tell(group, told_);
    group.island.advance(links_, now_);
}

void FluidNetwork::tell(Group& group, std::vector<Token>& ended) {
    const std::size_t before = ended.size();
    group.island.take_ended(links_, now_, ended);
    under_way_ -= ended.size() - before;
}

void FluidNetwork::start(double now, std::span<const Link> route, double bytes, double cap, Token token) {
    now_ = std::max(now_, now);
    Group& group = group_of(route);
    group.pending.add(route, bytes, cap, now_, token);
    for (const Link l : route) ++links_.under_way[l];
    unsettled_.push_back(route[0]);
    ++under_way_;
}

void FluidNetwork::set_capacity(double now, Link link, double capacity) {
    now_ = std::max(now_, now);
    const Link r = root(link);
    if (groups_[r]) {
        touch(*groups_[r]);
        groups_[r]->island.forget();
        unsettled_.push_back(r);
    }
    links_.capacity[link] = capacity;
}

std::optional<double> FluidNetwork::cancel(double now, Token token) {
    now_ = std::max(now_, now);
    for (Link r = 0; r < groups_.size(); ++r) {
        if (!groups_[r]) continue;
        Group& group = *groups_[r];
        for (FlowTable* flows : {&group.island.flows(), &group.pending}) {
            const auto at = std::find(flows->token.begin(), flows->token.end(), token);
            if (at == flows->token.end()) continue;
            const auto f = static_cast<Flow>(at - flows->token.begin());
            double left = 0;
            if (flows == &group.pending) {
                left = flows->remaining[f];
                fluid::leave_links(*flows, links_, f);
                flows->end(f);
                flows->compact();
                group.looked_at = 0;
            } else {
                touch(group);
                if (flows->aside(f)) continue;  // it has ended at this very moment
                left = group.island.cancel(links_, f);
            }
            unsettled_.push_back(r);
            --under_way_;
            return left;
        }
    }
    return std::nullopt;
}

// Joins what is due, or all that waits where shares change anyway.
void FluidNetwork::settle(Link r) {
    Group& group = *groups_[r];
    const bool exact = group.island.flows().alive() + group.pending.size() < few;
    for (; group.looked_at < group.pending.size(); ++group.looked_at) {
        const auto f = static_cast<Flow>(group.looked_at);
        double rate = group.pending.cap(f);
        const Link* route = group.pending.route(f);
        for (std::size_t i = 0; i < group.pending.width() && route[i] != links_.sink(); ++i)
            rate = std::min(rate, links_.capacity[route[i]] / links_.under_way[route[i]]);
        const double lasts = exact || !(rate > 0) ? 0 : group.pending.remaining[f] / rate;
        group.due = std::min(group.due, group.pending.started[f] + tolerance_ * lasts);
    }
    if (group.due <= now_ || (group.island.empty() && group.pending.size() > 0)) touch(group);
    if (group.touched) {
        if (group.pending.size() > 0) group.island.join(links_, group.pending);
        group.looked_at = 0;
        group.due = never;
        group.island.share_out(links_, group.island.flows().alive() < few ? 0 : tolerance_);
        coarseness_ = std::max(coarseness_, group.island.coarseness());
        group.touched = false;
        ++steps_;
    }
    queue_.erase({group.next, r});
    if (group.island.empty() && group.pending.size() == 0) return dissolve(r);
    group.next = std::min(group.island.next(), group.due);
    queue_.emplace(group.next, r);
}

void FluidNetwork::dissolve(Link r) {
    for (const Link l : groups_[r]->links) parent_[l] = l;
    groups_[r].reset();
}

void FluidNetwork::settle_all() {
    if (unsettled_.empty()) return;
    for (Link& l : unsettled_) l = root(l);
    std::sort(unsettled_.begin(), unsettled_.end());
    unsettled_.erase(std::unique(unsettled_.begin(), unsettled_.end()), unsettled_.end());
    for (const Link r : unsettled_)
        if (groups_[r]) settle(r);
    unsettled_.clear();
}

double FluidNetwork::next() {
    settle_all();
    if (!told_.empty()) return now_;
    return queue_.empty() ? never : queue_.begin()->first;
}

void FluidNetwork::advance(double now, std::vector<Token>& ended) {
    now_ = std::max(now_, now);
    settle_all();
    ended.insert(ended.end(), told_.begin(), told_.end());
    told_.clear();
    while (!queue_.empty() && queue_.begin()->first <= now_) {
        const Link r = queue_.begin()->second;
        Group& group = *groups_[r];
        tell(group, ended);
        if (group.island.next() <= now_) touch(group);  // the window is over
        settle(r);
    }
}

}  // namespace moesim
