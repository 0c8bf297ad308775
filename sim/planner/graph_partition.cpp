#include "planner/graph_partition.hpp"

#include <fmt/format.h>
#include <metis.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/error.hpp"

namespace moesim {

void WeightedGraph::join(std::size_t a, std::size_t b, double weight) {
    edges_[a].push_back({b, weight});
    edges_[b].push_back({a, weight});
}

std::vector<std::uint32_t> partition_graph(const WeightedGraph& graph, const std::vector<double>& share,
                                           double imbalance, std::uint64_t seed) {
    const std::size_t n = graph.vertices(), parts = share.size();
    if (parts <= 1 || n == 0) return std::vector<std::uint32_t>(n, 0);
    // METIS counts in 32 bits: the sum of all edges has to fit. Edges without weight are none.
    double all = 0;
    for (std::size_t v = 0; v < n; ++v)
        for (const auto& e : graph.edges(v)) all += e.weight;
    const double scale = all > 0 ? std::min(1.0, 1e9 / all) : 1;
    std::vector<idx_t> begin{0}, to, edge_weight;
    for (std::size_t v = 0; v < n; ++v) {
        for (const auto& e : graph.edges(v)) {
            const auto w = static_cast<idx_t>(std::lround(e.weight * scale));
            if (w <= 0) continue;
            to.push_back(static_cast<idx_t>(e.to));
            edge_weight.push_back(w);
        }
        begin.push_back(static_cast<idx_t>(to.size()));
    }
    auto vertices = static_cast<idx_t>(n), constraints = static_cast<idx_t>(graph.weight().cols());
    auto count = static_cast<idx_t>(parts);
    std::vector<idx_t> weight(graph.weight().values().begin(), graph.weight().values().end());
    std::vector<real_t> target, allowed(graph.weight().cols(), static_cast<real_t>(imbalance));
    for (const double s : share) target.insert(target.end(), graph.weight().cols(), static_cast<real_t>(s));
    idx_t options[METIS_NOPTIONS];
    METIS_SetDefaultOptions(options);
    options[METIS_OPTION_SEED] = static_cast<idx_t>(seed % 2'000'000'000);
    options[METIS_OPTION_NUMBERING] = 0;
    std::vector<idx_t> part(n);
    idx_t cut = 0;
    // Recursive bisection is METIS's better way with several constraints and few parts.
    const auto run = parts <= 8 ? &METIS_PartGraphRecursive : &METIS_PartGraphKway;
    static std::mutex one_at_a_time;  // it draws from the C library's random numbers
    const std::lock_guard lock(one_at_a_time);
    const int status = run(&vertices, &constraints, begin.data(), to.data(), weight.data(), nullptr, edge_weight.data(),
                           &count, target.data(), allowed.data(), options, &cut, part.data());
    if (status != METIS_OK) throw InternalError(fmt::format("METIS ended with {}", status));
    return {part.begin(), part.end()};
}

}  // namespace moesim
