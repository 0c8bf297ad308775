#include "network/fluid/max_min.hpp"

#include <algorithm>

namespace moesim::fluid {

// Flows of a link lie far apart: their routes are asked for this many flows before they are needed.
constexpr std::size_t ahead = 12;
// States of a solve to go on from. More of them cost more to keep and save less.
constexpr std::size_t states = 32;

LinkTable::LinkTable(std::vector<double> c)
    : capacity(std::move(c)), level(capacity.size() + 1, never), level_before(level), under_way(capacity.size() + 1),
      filling_(capacity.size() + 1) {}

void MaxMin::index(const FlowTable& flows, std::size_t network_links) {
    place_.assign(network_links + 1, 0);
    const auto each = [&](auto visit) {
        for (Flow f = 0; f < flows.size(); ++f) {
            if (flows.aside(f)) continue;
            const Link* route = flows.route(f);
            for (std::size_t i = 0; i < flows.width() && route[i] != network_links; ++i) visit(f, route[i]);
        }
    };
    each([&](Flow, Link l) { ++place_[l]; });
    links_.clear();
    alive_.clear();
    first_.assign(1, 0);
    for (Link l = 0; l < network_links; ++l) {
        if (place_[l] == 0) continue;
        alive_.push_back(place_[l]);
        first_.push_back(first_.back() + place_[l]);
        place_[l] = static_cast<std::uint32_t>(links_.size());
        links_.push_back(l);
    }
    flows_.assign(first_.back() + ahead, 0);
    auto next = first_;
    each([&](Flow f, Link l) { flows_[next[place_[l]]++] = f; });
    saved_.clear();
}

void MaxMin::ended(const FlowTable& flows, const LinkTable& table, Flow f) {
    const Link* route = flows.route(f);
    double rate = never;
    for (std::size_t i = 0; i < flows.width(); ++i) rate = std::min(rate, table.level[FlowTable::link(route[i])]);
    while (!saved_.empty() && saved_.back().level >= rate * (1 - 1e-9)) {
        unused_.push_back(std::move(saved_.back()));
        saved_.pop_back();
    }
    for (std::size_t i = 0; i < flows.width(); ++i) {
        const Link l = FlowTable::link(route[i]);
        if (l + 1 == place_.size()) break;  // the sink, and nothing but the sink after it
        --alive_[place_[l]];
        for (Saved& s : saved_) --s.filling[place_[l]].open;
    }
}

void MaxMin::save(const LinkTable& table, double level, std::size_t fills) {
    Saved s;
    if (!unused_.empty()) {
        s = std::move(unused_.back());
        unused_.pop_back();
    }
    s.level = level;
    s.fills = fills;
    s.filling.resize(links_.size());
    for (std::size_t i = 0; i < links_.size(); ++i) s.filling[i] = table.filling_[links_[i]];
    saved_.push_back(std::move(s));
}

bool MaxMin::go_on_from_saved(LinkTable& table) {
    if (saved_.empty()) return false;
    const Saved& s = saved_.back();
    for (std::size_t i = 0; i < links_.size(); ++i) {
        const Link l = links_[i];
        if (table.level[l] >= s.level) table.level[l] = never;
        table.filling_[l] = s.filling[i];
    }
    return true;
}

// Replaces the first of a heap by one that comes no sooner: half the work of taking it out and putting it back in.
template <class T>
void lower_top(std::vector<T>& heap, const T& item) {
    std::size_t hole = 0;
    for (std::size_t child = 1; child < heap.size(); child = 2 * hole + 1) {
        if (child + 1 < heap.size() && heap[child] < heap[child + 1]) ++child;
        if (!(item < heap[child])) break;
        heap[hole] = heap[child];
        hole = child;
    }
    heap[hole] = item;
}

// Routes of a width that is known beforehand go twice as fast.
template <std::size_t width>
void MaxMin::fill_link(const FlowTable& flows, LinkTable& table, Link link, double share) {
    const double* level = table.level.data();
    LinkTable::Filling* filling = table.filling_.data();
    const std::size_t places = width == 0 ? flows.width() : width;
    const Flow* f = flows_.data() + first_[place_[link]];
    for (; filling[link].open > 0; ++f) {
        __builtin_prefetch(flows.route(f[ahead]));
        if (flows.aside(*f)) continue;
        const Link* route = flows.route(*f);
        bool grows = true;
        for (std::size_t k = 0; k < places; ++k) grows &= level[route[k]] == never;
        if (!grows) continue;
        for (std::size_t k = 0; k < places; ++k) {
            filling[route[k]].rest -= share;
            --filling[route[k]].open;
        }
    }
    table.level[link] = share;
}

void MaxMin::solve(FlowTable& flows, LinkTable& table, std::span<const Cap> caps) {
    heap_.clear();
    const auto share_of = [&](Link l) {
        const auto& filling = table.filling_[l];
        return std::max(filling.rest, 0.0) / filling.open;
    };
    if (!caps.empty()) saved_.clear();
    const bool goes_on = go_on_from_saved(table);
    if (!goes_on)
        for (std::size_t i = 0; i < links_.size(); ++i) {
            table.level[links_[i]] = never;
            table.filling_[links_[i]] = {table.capacity[links_[i]], alive_[i]};
        }
    for (const Link l : links_)
        if (table.filling_[l].open > 0) heap_.push_back({share_of(l), l});
    std::make_heap(heap_.begin(), heap_.end());
    const auto fill = flows.width() == 2   ? &MaxMin::fill_link<2>
                      : flows.width() == 4 ? &MaxMin::fill_link<4>
                      : flows.width() == 6 ? &MaxMin::fill_link<6>
                                           : &MaxMin::fill_link<0>;
    const std::size_t between = fills_ / states;
    std::size_t capped = 0, fills = saved_.empty() ? 0 : saved_.back().fills, save_at = fills + between;
    // Grows; rounding in `rest` must not let it fall, least of all below that of the state gone on from: links that
    // fill up from there on would be taken for filled before when another solve goes on from it.
    double level = goes_on ? saved_.back().level : 0;
    const auto stop_at_cap = [&] {
        const auto [cap, f] = caps[capped++];
        const Link* route = flows.route(f);
        for (std::size_t k = 0; k < flows.width(); ++k)
            if (table.level[FlowTable::link(route[k])] != never) return;
        for (std::size_t k = 0; k < flows.width(); ++k) {
            auto& filling = table.filling_[FlowTable::link(route[k])];
            filling.rest -= cap;
            --filling.open;
        }
        flows.set_aside(f);
    };
    const auto drop_top = [&] {
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
    };
    while (!heap_.empty()) {
        const Share top = heap_.front();
        if (table.filling_[top.link].open == 0) {
            drop_top();
            continue;
        }
        // Flows that stopped elsewhere may have left more to those that still grow here; never less.
        const double share = std::max(share_of(top.link), level);
        if (share > top.share) {
            lower_top(heap_, {share, top.link});
        } else if (capped < caps.size() && caps[capped].first <= share) {
            level = std::max(level, caps[capped].first);
            stop_at_cap();
        } else {
            if (caps.empty() && fills >= save_at && share > level && saved_.size() < 2 * states) {
                save(table, share, fills);
                save_at = fills + between;
            }
            ++fills;
            level = share;
            drop_top();
            (this->*fill)(flows, table, top.link, share);
        }
    }
    fills_ = fills;
    for (std::size_t i = 0; i < capped; ++i) flows.bring_back(caps[i].second);
}

}  // namespace moesim::fluid
