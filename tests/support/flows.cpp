#include "support/flows.hpp"

#include <xbt/log.h>

#include <algorithm>
#include <cmath>
#include <simgrid/kernel/Timer.hpp>
#include <simgrid/s4u.hpp>
#include <string>
#include <unordered_map>

#include "base/random.hpp"
#include "support/in_child.hpp"

namespace moesim::test {
namespace {

namespace s4u = simgrid::s4u;
using simgrid::kernel::timer::Timer;

// Each flow has two hosts of its own, so that its route and its cap are its own, too.
std::vector<double> simulate(const FlowCase& c) {
    std::string name = "flows";
    char* arguments[] = {name.data(), nullptr};
    int count = 1;
    s4u::Engine engine(&count, arguments);
    xbt_log_control_set("root.thresh:critical");
    for (const char* setting : {"network/model:CM02", "network/crosstraffic:0", "network/TCP-gamma:0",
                                "network/weight-S:0", "maxmin/precision:1e-12", "surf/precision:1e-15"})
        s4u::Engine::set_config(setting);
    auto* zone = s4u::create_full_zone("zone");
    std::vector<s4u::Link*> links;
    const auto make_link = [&](const std::string& of, double capacity) {
        auto* link = zone->create_link(of, capacity);
        link->set_latency(0.0)->seal();
        return link;
    };
    for (std::size_t l = 0; l < c.capacity.size(); ++l)
        links.push_back(make_link("link" + std::to_string(l), c.capacity[l]));
    std::vector<std::pair<s4u::Host*, s4u::Host*>> hosts;
    for (std::size_t f = 0; f < c.flows.size(); ++f) {
        auto* from = zone->create_host("from" + std::to_string(f), 1e9);
        auto* to = zone->create_host("to" + std::to_string(f), 1e9);
        from->seal();
        to->seal();
        hosts.emplace_back(from, to);
        std::vector<s4u::LinkInRoute> route;
        for (const FluidNetwork::Link l : c.flows[f].route) route.emplace_back(links[l]);
        if (std::isfinite(c.flows[f].cap)) route.emplace_back(make_link("cap" + std::to_string(f), c.flows[f].cap));
        zone->add_route(from->get_netpoint(), to->get_netpoint(), nullptr, nullptr, route, false);
    }
    zone->seal();
    std::vector<double> ends(c.flows.size());
    std::unordered_map<const s4u::Activity*, std::size_t> running;
    std::vector<s4u::ActivityPtr> held;
    s4u::Activity::on_completion_cb([&](const s4u::Activity& a) {
        if (const auto at = running.find(&a); at != running.end()) ends[at->second] = s4u::Engine::get_clock();
    });
    for (std::size_t f = 0; f < c.flows.size(); ++f)
        Timer::set(c.flows[f].start, [&, f] {
            const auto comm = s4u::Comm::sendto_init(hosts[f].first, hosts[f].second);
            comm->set_payload_size(static_cast<std::uint64_t>(c.flows[f].bytes));
            held.push_back(comm);
            running[comm.get()] = f;
            comm->vetoable_start();
        });
    for (const auto& change : c.changes)
        Timer::set(change.at, [&] { links[change.link]->set_bandwidth(change.capacity); });
    engine.run();
    return ends;
}

// SimGrid never gives a flow more than the narrowest of its links had when it started, whatever becomes of the link.
// That is no part of max-min sharing: a cap says the same to both.
double narrowest_at_start(const FlowCase& c, const FlowCase::Flow& flow) {
    auto capacity = c.capacity;
    for (const auto& change : c.changes)
        if (change.at < flow.start) capacity[change.link] = change.capacity;
    double least = flow.cap;
    for (const auto link : flow.route) least = std::min(least, capacity[link]);
    return least;
}

}  // namespace

std::vector<double> ends_by_simgrid(const FlowCase& c) {
    return in_child([&] { return nlohmann::json(simulate(c)); });
}

std::vector<double> ends_by_fluid(const FlowCase& c, double tolerance) {
    FluidNetwork network(c.capacity, tolerance);
    struct Event {
        double at;
        std::size_t flow, change;
    };
    constexpr auto none = static_cast<std::size_t>(-1);
    std::vector<Event> events;
    for (std::size_t i = 0; i < c.flows.size(); ++i) events.push_back({c.flows[i].start, i, none});
    for (std::size_t i = 0; i < c.changes.size(); ++i) events.push_back({c.changes[i].at, none, i});
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
    std::vector<double> ends(c.flows.size(), fluid::never);
    std::vector<FluidNetwork::Token> ended;
    std::size_t i = 0;
    for (;;) {
        const double next = network.next();
        const double now = i < events.size() ? std::min(next, events[i].at) : next;
        if (now == fluid::never) return ends;
        ended.clear();
        if (next <= now) network.advance(now, ended);
        for (const auto token : ended) ends[token] = now;
        for (; i < events.size() && events[i].at <= now; ++i) {
            if (events[i].change != none) {
                network.set_capacity(now, c.changes[events[i].change].link, c.changes[events[i].change].capacity);
                continue;
            }
            const auto& flow = c.flows[events[i].flow];
            network.start(now, flow.route, flow.bytes, flow.cap, static_cast<FluidNetwork::Token>(events[i].flow));
        }
    }
}

FlowCase random_flows(std::uint64_t number) {
    RandomStream random(stream_key(number, 77), 0);
    FlowCase c;
    const std::uint32_t links = 1 + random.below(12), flows = 1 + random.below(60);
    for (std::uint32_t l = 0; l < links; ++l) c.capacity.push_back(1e6 * std::exp(3 * random.uniform()));
    const bool capped = random.below(2) == 0, staggered = random.below(3) > 0;
    for (std::uint32_t f = 0; f < flows; ++f) {
        FlowCase::Flow flow;
        const std::uint32_t hops = 1 + random.below(std::min(links, 5U));
        while (flow.route.size() < hops) {
            const std::uint32_t l = random.below(links);
            if (std::find(flow.route.begin(), flow.route.end(), l) == flow.route.end()) flow.route.push_back(l);
        }
        // Equal sizes now and then, so that many ends fall together.
        flow.bytes = random.below(3) == 0 ? 1e6 : std::floor(1e4 * std::exp(6 * random.uniform()));
        if (staggered && random.below(2) == 0) flow.start = std::floor(20 * random.uniform()) / 10;
        if (capped && random.below(2) == 0) flow.cap = 1e5 * std::exp(3 * random.uniform());
        c.flows.push_back(std::move(flow));
    }
    for (std::uint32_t i = random.below(3) == 0 ? 1 + random.below(6) : 0; i > 0; --i)
        c.changes.push_back({3 * random.uniform(), random.below(links), 1e6 * std::exp(3 * random.uniform())});
    std::sort(c.changes.begin(), c.changes.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
    if (!c.changes.empty())
        for (auto& f : c.flows) f.cap = std::min(f.cap, narrowest_at_start(c, f));
    return c;
}

FlowCase all_to_all(std::size_t ranks, double spread, double stagger, std::uint64_t seed) {
    constexpr double nvlink = 300e9, nic = 45e9;
    RandomStream random(stream_key(seed, 78), ranks);
    FlowCase c;
    for (std::size_t r = 0; r < ranks; ++r)
        for (const double capacity : {nvlink, nvlink, nic, nic}) c.capacity.push_back(capacity);
    for (std::size_t leaf = 0; leaf < (ranks + 15) / 16; ++leaf)
        for (int way = 0; way < 2; ++way) c.capacity.push_back(10 * nic);
    const auto link = [](std::size_t l) { return static_cast<FluidNetwork::Link>(l); };
    for (std::size_t i = 0; i < ranks; ++i) {
        const double start = stagger * random.uniform() * 1e6 * static_cast<double>(ranks) / nic;
        for (std::size_t j = 0; j < ranks; ++j) {
            if (i == j) continue;
            FlowCase::Flow f;
            if (i / 8 == j / 8)
                f.route = {link(4 * i), link(4 * j + 1)};
            else if (i / 16 == j / 16)
                f.route = {link(4 * i + 2), link(4 * j + 3)};
            else
                f.route = {link(4 * i + 2), link(4 * ranks + i / 16 * 2), link(4 * ranks + j / 16 * 2 + 1),
                           link(4 * j + 3)};
            f.bytes = std::floor(1e6 * std::exp(spread * (random.uniform() - 0.5)));
            f.start = start;
            c.flows.push_back(std::move(f));
        }
    }
    return c;
}

std::vector<double> rank_ends(std::size_t ranks, const std::vector<double>& flow_ends) {
    std::vector<double> ends(ranks);
    std::size_t f = 0;
    for (std::size_t i = 0; i < ranks; ++i)
        for (std::size_t j = 0; j < ranks; ++j) {
            if (i == j) continue;
            ends[i] = std::max(ends[i], flow_ends[f]);
            ends[j] = std::max(ends[j], flow_ends[f]);
            ++f;
        }
    return ends;
}

}  // namespace moesim::test
