#include "topology/bisection.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>

namespace moesim {
namespace {

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
using Graph = boost::adjacency_list<
    boost::vecS, boost::vecS, boost::directedS, boost::no_property,
    boost::property<boost::edge_capacity_t, long,
                    boost::property<boost::edge_residual_capacity_t, long,
                                    boost::property<boost::edge_reverse_t, Traits::edge_descriptor>>>>;

// An edge and the one back that the algorithm wants, which carries nothing.
void add_edge(Graph& graph, std::size_t from, std::size_t to, long capacity) {
    const auto there = boost::add_edge(from, to, graph).first, back = boost::add_edge(to, from, graph).first;
    boost::put(boost::edge_capacity, graph, there, capacity);
    boost::put(boost::edge_capacity, graph, back, 0);
    boost::put(boost::edge_reverse, graph, there, back);
    boost::put(boost::edge_reverse, graph, back, there);
}

}  // namespace

BytesPerSecond bisection_bandwidth(const Fabric& fabric) {
    const std::size_t ranks = fabric.ranks(), half = ranks / 2;
    if (half == 0) return BytesPerSecond(0);
    double total = 0;
    for (const Link& link : fabric.links()) total += link.capacity.value();
    // Whole numbers of bytes a second, so that the flow is exact, in units that keep all sums below 2^63.
    const double unit = std::max(1.0, total / 4e18);
    // All senders are one vertex, and so are all receivers: between GPUs of a half there is no limit.
    constexpr std::size_t source = 0, sink = 1;
    const auto vertex = [&](VertexId v) {
        if (v.value() >= ranks) return v.value() - ranks + 2;
        return v.value() < half ? source : sink;
    };
    Graph graph(fabric.vertices().size() - ranks + 2);
    for (const Link& link : fabric.links()) {
        const std::size_t from = vertex(link.from), to = vertex(link.to);
        if (from == to || from == sink || to == source) continue;
        add_edge(graph, from, to, static_cast<long>(link.capacity.value() / unit));
    }
    return BytesPerSecond(static_cast<double>(boost::push_relabel_max_flow(graph, source, sink)) * unit);
}

}  // namespace moesim
