#include "network/fluid/flow_table.hpp"

#include <algorithm>

namespace moesim::fluid {

void FlowTable::add(std::span<const Link> route, double bytes, double cap, double start, Token name) {
    if (route.size() > width_) widen(route.size());
    routes_.insert(routes_.end(), route.begin(), route.end());
    routes_.resize(routes_.size() + width_ - route.size(), sink_);
    if (cap < never && caps_.empty()) caps_.resize(size(), never);
    if (cap < never || !caps_.empty()) caps_.push_back(cap);
    remaining.push_back(bytes);
    started.push_back(start);
    token.push_back(name);
}

void FlowTable::append(FlowTable& other) {
    if (other.width_ > width_) widen(other.width_);
    if (width_ > other.width_) other.widen(width_);
    if (other.capped() && !capped()) caps_.resize(size(), never);
    if (capped() && !other.capped()) other.caps_.resize(other.size(), never);
    routes_.insert(routes_.end(), other.routes_.begin(), other.routes_.end());
    caps_.insert(caps_.end(), other.caps_.begin(), other.caps_.end());
    remaining.insert(remaining.end(), other.remaining.begin(), other.remaining.end());
    started.insert(started.end(), other.started.begin(), other.started.end());
    token.insert(token.end(), other.token.begin(), other.token.end());
    ended_ += other.ended_;
    other = FlowTable(sink_);
}

void FlowTable::compact() {
    std::size_t kept = 0;
    for (Flow f = 0; f < size(); ++f) {
        if (aside(f)) continue;
        std::copy_n(route(f), width_, routes_.begin() + static_cast<std::ptrdiff_t>(kept * width_));
        if (capped()) caps_[kept] = caps_[f];
        remaining[kept] = remaining[f];
        started[kept] = started[f];
        token[kept] = token[f];
        ++kept;
    }
    routes_.resize(kept * width_);
    if (capped()) caps_.resize(kept);
    remaining.resize(kept);
    started.resize(kept);
    token.resize(kept);
    ended_ = 0;
}

void FlowTable::widen(std::size_t width) {
    std::vector<Link> wide(size() * width, sink_);
    for (Flow f = 0; f < size(); ++f)
        std::copy_n(route(f), width_, wide.begin() + static_cast<std::ptrdiff_t>(f * width));
    routes_ = std::move(wide);
    width_ = width;
}

}  // namespace moesim::fluid
