#include "planner/group_flows.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace moesim {
namespace {

// What a link carries: flows in ascending order, and how often each.
using Carried = std::vector<std::pair<std::uint32_t, std::int32_t>>;

struct Hops {
    std::vector<std::vector<std::pair<std::size_t, std::size_t>>> of;  // [flow]: positions, from and to
};

void carry(Carried& carried, std::size_t flow) {
    if (carried.empty() || carried.back().first != flow) carried.emplace_back(flow, 0);
    ++carried.back().second;
}

}  // namespace

GroupFlows::GroupFlows(const RankGrid& grid, const Fabric& fabric, const MessageModel& messages, Dedup dedup) {
    const std::size_t positions = grid.expert();
    std::map<std::size_t, std::size_t> number;
    std::vector<std::vector<std::size_t>> members;  // [node]
    for (std::size_t p = 0; p < positions; ++p) {
        const std::size_t node = fabric.node_of(grid.rank(p, 0)).value();
        node_.push_back(number.try_emplace(node, number.size()).first->second);
        members.resize(number.size());
        members[node_.back()].push_back(p);
    }
    nodes_ = number.size();

    // The hops of each flow, as count_exchange lays them.
    Hops hops;
    hops.of.resize(positions * (positions + nodes_));
    for (std::size_t s = 0; s < positions; ++s) {
        const auto& home = members[node_[s]];
        const auto place = static_cast<std::size_t>(std::find(home.begin(), home.end(), s) - home.begin());
        for (std::size_t q = 0; q < positions; ++q) {
            if (q == s) continue;
            const auto& there = members[node_[q]];
            const bool forwarded = dedup == Dedup::node && node_[q] != node_[s];
            const std::size_t from = forwarded ? there[place % there.size()] : s;
            if (from != q) hops.of[to_position(s, q)].emplace_back(from, q);
        }
        if (dedup != Dedup::node) continue;
        for (std::size_t n = 0; n < nodes_; ++n)
            if (n != node_[s]) hops.of[to_node(s, n)].emplace_back(s, members[n][place % members[n].size()]);
    }

    std::vector<Carried> out(fabric.links().size()), back(fabric.links().size());
    for (std::size_t f = 0; f < hops.of.size(); ++f)
        for (const auto& [from, to] : hops.of[f])
            for (std::size_t g = 0; g < grid.data(); g += positions)
                for (std::size_t t = 0; t < grid.tensor(); ++t) {
                    const RankId a = grid.rank(g + from, t), b = grid.rank(g + to, t);
                    const Route there = fabric.route(a, b), here = fabric.route(b, a);
                    if (g == 0 && t == 0) start_up_ = std::max(start_up_, messages.latency(there));
                    for (const LinkId l : there.links()) carry(out[l.value()], f);
                    for (const LinkId l : here.links()) carry(back[l.value()], f);
                }

    std::map<Carried, std::uint32_t> classes;
    std::vector<const Carried*> carried;
    const auto add = [&](std::vector<Carried>& links, bool forth) {
        for (std::size_t l = 0; l < links.size(); ++l) {
            if (links[l].empty()) continue;
            const auto [entry, unseen] =
                classes.try_emplace(std::move(links[l]), static_cast<std::uint32_t>(classes.size()));
            if (unseen) {
                out_.push_back(0);
                back_.push_back(0);
                carried.push_back(&entry->first);
            }
            double& longest = (forth ? out_ : back_)[entry->second];
            longest = std::max(longest, 1 / messages.capacity(LinkId(l)).value());
        }
    };
    add(out, true);
    add(back, false);

    begin_.assign(hops.of.size() + 1, 0);
    for (const Carried* c : carried)
        for (const auto& [flow, times] : *c) ++begin_[flow + 1];
    for (std::size_t f = 0; f + 1 < begin_.size(); ++f) begin_[f + 1] += begin_[f];
    shares_.resize(begin_.back());
    std::vector<std::uint32_t> next = begin_;
    for (std::uint32_t l = 0; l < carried.size(); ++l)
        for (const auto& [flow, times] : *carried[l]) shares_[next[flow]++] = {l, times};
}

}  // namespace moesim
