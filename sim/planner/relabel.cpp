#include "planner/relabel.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "planner/assignment.hpp"

namespace moesim {
namespace {

using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

// Whether all is as before where the two positions of each pair change places.
bool may_swap(const Positions& p, std::span<const double> speed, const Pairs& pairs) {
    std::vector<std::uint32_t> image(p.count());
    std::iota(image.begin(), image.end(), 0U);
    for (const auto& [a, b] : pairs) image[a] = b, image[b] = a;
    for (const auto& [first, second] : pairs) {
        if (speed[first] != speed[second]) return false;
        for (const std::uint32_t a : {first, second})
            for (std::uint32_t b = 0; b < p.count(); ++b)
                if (p.seconds_per_byte(a, b) != p.seconds_per_byte(image[a], image[b]) ||
                    p.seconds_per_byte(b, a) != p.seconds_per_byte(image[b], image[a]))
                    return false;
    }
    return true;
}

Pairs pairs_of(const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
    Pairs pairs;
    for (std::size_t i = 0; i < a.size(); ++i) pairs.emplace_back(a[i], b[i]);
    return pairs;
}

// Adds what a layer's experts take to get to each position, [position of the plan][position that held].
void add_cost(Matrix<double>& cost, const Placement& plan, const Placement& held, LayerId layer, const Positions& p) {
    for (std::size_t e = 0; e < plan.experts(); ++e) {
        const auto had = held.replicas(layer, e), has = plan.replicas(layer, e);
        for (std::uint32_t to = 0; to < p.count(); ++to) {
            double soonest = std::numeric_limits<double>::infinity();
            for (const std::uint32_t from : had) soonest = std::min(soonest, p.seconds_per_byte(from, to));
            for (std::size_t i = 0; i < has.size(); ++i)
                if (i == 0 || has[i] != has[i - 1]) cost(has[i], to) += soonest;
        }
    }
}

// goes: [layer][position]
Placement renamed(const Placement& plan, const std::vector<std::vector<std::uint32_t>>& goes) {
    std::vector<std::vector<std::vector<std::uint32_t>>> replicas(plan.layers());
    for (std::size_t l = 0; l < plan.layers(); ++l)
        for (std::size_t e = 0; e < plan.experts(); ++e) {
            auto& at = replicas[l].emplace_back();
            for (const std::uint32_t p : plan.replicas(LayerId(l), e)) at.push_back(goes[l][p]);
        }
    return {std::move(replicas), plan.positions()};
}

std::size_t fullest(const Placement& placement) {
    std::size_t most = 0;
    for (std::size_t p = 0; p < placement.positions(); ++p) most = std::max(most, placement.experts_at(p));
    return most;
}

}  // namespace

AlikePositions::AlikePositions(Positions positions, std::span<const double> speed)
    : positions_(std::move(positions)), members_(positions_.nodes()), kind_(positions_.count()),
      nodes_alike_(positions_.nodes(), positions_.nodes()) {
    for (std::uint32_t p = 0; p < positions_.count(); ++p) {
        auto& members = members_[positions_.node[p]];
        kind_[p] = p;
        for (const std::uint32_t q : members)
            if (kind_[q] == q && may_swap(positions_, speed, {{q, p}})) {
                kind_[p] = q;
                break;
            }
        members.push_back(p);
    }
    for (std::size_t m = 0; m < members_.size(); ++m)
        for (std::size_t n = 0; n < m; ++n) {
            const bool alike = members_[m].size() == members_[n].size() &&
                               may_swap(positions_, speed, pairs_of(members_[m], members_[n]));
            nodes_alike_(m, n) = nodes_alike_(n, m) = alike ? 1 : 0;
        }
}

std::vector<std::uint32_t> AlikePositions::cheapest(const Matrix<double>& cost) const {
    // More than any permutation costs that is allowed.
    const double forbidden = 1 + std::accumulate(cost.values().begin(), cost.values().end(), 0.0);
    const std::size_t nodes = members_.size();
    Matrix<double> of_nodes(nodes, nodes, forbidden);
    std::vector<std::vector<std::uint32_t>> inside(nodes * nodes);  // [node][to node]: places in the other's members
    Assignment assignment;
    for (std::size_t m = 0; m < nodes; ++m)
        for (std::size_t n = 0; n < nodes; ++n) {
            if (m != n && nodes_alike_(m, n) == 0) continue;
            const auto &from = members_[m], &to = members_[n];
            Matrix<double> of_positions(from.size(), from.size(), forbidden);
            for (std::size_t i = 0; i < from.size(); ++i)
                for (std::size_t j = 0; j < to.size(); ++j)
                    if (kind_[to[i]] == kind_[to[j]]) of_positions(i, j) = cost(from[i], to[j]);
            of_nodes(m, n) = assignment.solve(of_positions, inside[m * nodes + n]);
        }
    std::vector<std::uint32_t> node, goes(positions_.count());
    assignment.solve(of_nodes, node);
    for (std::size_t m = 0; m < nodes; ++m)
        for (std::size_t i = 0; i < members_[m].size(); ++i)
            goes[members_[m][i]] = members_[node[m]][inside[m * nodes + node[m]][i]];
    return goes;
}

Placement relabelled(const Placement& plan, const Placement& held, const AlikePositions& alike, bool layers_apart) {
    const std::size_t n = plan.positions();
    if (layers_apart) {
        std::vector<std::vector<std::uint32_t>> goes;
        for (std::size_t l = 0; l < plan.layers(); ++l) {
            Matrix<double> of_layer(n, n);
            add_cost(of_layer, plan, held, LayerId(l), alike.positions());
            goes.push_back(alike.cheapest(of_layer));
        }
        Placement apart = renamed(plan, goes);
        if (fullest(apart) <= std::max(fullest(plan), fullest(held))) return apart;
    }
    Matrix<double> all(n, n);
    for (std::size_t l = 0; l < plan.layers(); ++l) add_cost(all, plan, held, LayerId(l), alike.positions());
    return renamed(plan, std::vector(plan.layers(), alike.cheapest(all)));
}

}  // namespace moesim
