#pragma once
// Max-min fair shares by progressive filling (Bertsekas and Gallager, "Data Networks", 2nd ed., 6.5.2): all rates grow
// together; where a link is full, or a flow reaches its cap, its flows stop growing, and the others go on.
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "network/fluid/flow_table.hpp"

namespace moesim::fluid {

// The links of a network, with a last one (`sink`) that fills up routes and is never full.
class LinkTable {
  public:
    explicit LinkTable(std::vector<double> capacity);
    [[nodiscard]] Link sink() const { return static_cast<Link>(capacity.size()); }

    std::vector<double> capacity;  // [link] bytes a second
    // The rate at which flows of the link stopped growing because it was full; infinity where it is not, and for the
    // sink. A flow's rate is the least level of its links, or its cap if that is less.  [link, sink]
    std::vector<double> level;
    std::vector<double> level_before;      // of the solve before  [link, sink]
    std::vector<std::uint32_t> under_way;  // flows that have begun and not ended  [link, sink]

  private:
    friend class MaxMin;
    // A link while rates grow.
    struct Filling {
        double rest = 0;         // what flows that have stopped growing leave of the capacity
        std::uint32_t open = 0;  // flows that still grow
    };
    std::vector<Filling> filling_;  // [link, sink]
};

// Which flows take each link of an island.
class MaxMin {
  public:
    // Flows of `flows` that do not stand aside; the links that they take, in the order of their numbers.
    void index(const FlowTable& flows, std::size_t network_links);
    [[nodiscard]] std::span<const Link> links() const { return links_; }
    // A flow has ended; it stands aside already, and levels are still those that it moved at.
    void ended(const FlowTable& flows, const LinkTable& table, Flow f);
    // Capacities have changed.
    void forget() { saved_.clear(); }

    // A limit on one flow's rate, in one solve.
    using Cap = std::pair<double, Flow>;
    // Sets the level of every link of the island. `caps` are in ascending order, one a flow at most; a flow that is
    // not among them has no limit. Equal shares: the link with the lower number is full first.
    void solve(FlowTable& flows, LinkTable& table, std::span<const Cap> caps);

  private:
    struct Share {
        double share;
        Link link;
        bool operator<(const Share& o) const { return share != o.share ? share > o.share : link > o.link; }
    };
    template <std::size_t width>
    void fill_link(const FlowTable& flows, LinkTable& table, Link link, double share);

    // The state of a solve just before links of `level` and more fill up. What is below does not depend on flows that
    // stop growing above: where such a flow ends, the next solve goes on from here.
    struct Saved {
        double level = 0;
        std::size_t fills = 0;                    // links filled before
        std::vector<LinkTable::Filling> filling;  // [place in links_]
    };
    bool go_on_from_saved(LinkTable& table);
    void save(const LinkTable& table, double level, std::size_t fills);

    std::vector<Link> links_;
    std::vector<std::size_t> first_;    // [place in links_]: where its flows begin in flows_
    std::vector<std::uint32_t> alive_;  // [place in links_]: flows that have not ended
    std::vector<std::uint32_t> place_;  // [link of the network]: its place in links_
    std::vector<Flow> flows_;
    std::vector<Share> heap_;
    std::vector<Saved> saved_;   // ascending levels
    std::vector<Saved> unused_;  // their memory
    std::size_t fills_ = 0;      // links that the last solve filled
};

// What a flow gets at such levels: see LinkTable::level.
inline double rate_of(const FlowTable& flows, const std::vector<double>& level, Flow f) {
    const Link* route = flows.route(f);
    double rate = level[FlowTable::link(route[0])];
    for (std::size_t i = 1; i < flows.width(); ++i) rate = rate < level[route[i]] ? rate : level[route[i]];
    return flows.capped() && flows.cap(f) < rate ? flows.cap(f) : rate;
}

}  // namespace moesim::fluid
