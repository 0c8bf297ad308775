#include "topology/describe.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "topology/bisection.hpp"

namespace moesim {
namespace {

// The classes of a route's links, four bits each and 0 where there is none, and whether it stays in its node.
using Key = std::array<std::uint64_t, max_route_links / 16 + 1>;

Key key_of(const Fabric& fabric, const Route& route, bool inside_node) {
    Key key{};
    key.back() = inside_node ? 1 : 0;
    std::size_t i = 0;
    for (const LinkId id : route.links()) {
        key[i / 16] |= (std::uint64_t{static_cast<unsigned char>(fabric.link(id).link_class)} + 1) << (i % 16 * 4);
        ++i;
    }
    return key;
}

std::vector<std::pair<LinkClass, std::size_t>> runs_of(const Fabric& fabric, const Route& route) {
    std::vector<std::pair<LinkClass, std::size_t>> runs;
    for (const LinkId id : route.links()) {
        const LinkClass link_class = fabric.link(id).link_class;
        if (runs.empty() || runs.back().first != link_class) runs.emplace_back(link_class, 0);
        ++runs.back().second;
    }
    return runs;
}

template <class T>
void widen(Spread<T>& range, T value, bool first) {
    range.least = first ? value : std::min(range.least, value);
    range.most = first ? value : std::max(range.most, value);
}

class Pairs {
  public:
    explicit Pairs(const Fabric& fabric) : fabric_(fabric) {}

    void add(RankId from, RankId to, const Route& route) {
        const bool inside = !fabric_.crosses_nodes(from, to);
        const Key key = key_of(fabric_, route, inside);
        // Neighbouring pairs are mostly of one class.
        if (last_ == nullptr || key != last_key_) last_ = &classes_[key], last_key_ = key;
        DistanceClass& c = *last_;
        const bool first = c.pairs++ == 0;
        if (first) c.inside_node = inside, c.hops = route.links().size(), c.path = runs_of(fabric_, route);
        BytesPerSecond narrowest(std::numeric_limits<double>::infinity());
        for (const LinkId id : route.links()) narrowest = std::min(narrowest, fabric_.link(id).capacity);
        widen(c.latency, fabric_.latency(route), first);
        widen(c.narrowest, narrowest, first);
    }
    [[nodiscard]] std::vector<DistanceClass> classes() const {
        std::vector<DistanceClass> all;
        for (const auto& [key, c] : classes_) all.push_back(c);
        std::stable_sort(all.begin(), all.end(), [](const DistanceClass& a, const DistanceClass& b) {
            return std::tuple(!a.inside_node, a.hops, a.latency.least) <
                   std::tuple(!b.inside_node, b.hops, b.latency.least);
        });
        return all;
    }

  private:
    const Fabric& fabric_;
    std::map<Key, DistanceClass> classes_;
    DistanceClass* last_ = nullptr;
    Key last_key_{};
};

}  // namespace

TopologyDescription describe(const Fabric& fabric) {
    TopologyDescription d;
    d.bisection = bisection_bandwidth(fabric);
    Pairs pairs(fabric);
    std::vector<std::int64_t> crossing(fabric.links().size());  // pairs from the first half to the other
    const std::size_t ranks = fabric.ranks(), half = ranks / 2;
    std::int64_t links = 0;
    for (std::size_t a = 0; a < ranks; ++a)
        for (std::size_t b = 0; b < ranks; ++b) {
            if (a == b) continue;
            const Route route = fabric.route(RankId(a), RankId(b));
            const std::size_t hops = route.links().size();
            if (hops >= d.pairs_by_hops.size()) d.pairs_by_hops.resize(hops + 1);
            ++d.pairs_by_hops[hops];
            links += static_cast<std::int64_t>(hops);
            pairs.add(RankId(a), RankId(b), route);
            if (a >= half || b < half) continue;
            for (const LinkId id : route.links()) ++crossing[id.value()];
        }
    d.classes = pairs.classes();
    if (half == 0) return d;
    d.mean_hops = static_cast<double>(links) / (static_cast<double>(ranks) * static_cast<double>(ranks - 1));
    double rate = std::numeric_limits<double>::infinity();  // of one pair
    for (std::size_t l = 0; l < crossing.size(); ++l)
        if (crossing[l] > 0)
            rate = std::min(rate, fabric.link(LinkId(l)).capacity.value() / static_cast<double>(crossing[l]));
    d.bisection_all_pairs = BytesPerSecond(rate * (static_cast<double>(half) * static_cast<double>(ranks - half)));
    return d;
}

}  // namespace moesim
