#include "planner/partition_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>

#include "base/error.hpp"
#include "planner/assignment.hpp"

namespace moesim {
namespace {

using Mask = std::uint32_t;  // a set of experts

// All partitions of `of` into sets that `parts` lists, in the order of their lowest experts.
void for_each_partition(Mask of, const std::function<void(Mask, const std::function<void(std::size_t, Mask)>&)>& parts,
                        std::vector<std::uint32_t>& chosen, const std::function<void()>& take) {
    if (of == 0) return take();
    parts(of, [&](std::size_t index, Mask set) {
        chosen.push_back(static_cast<std::uint32_t>(index));
        for_each_partition(of & ~set, parts, chosen, take);
        chosen.pop_back();
    });
}

// Sets of experts, each made of `parts` of the level below.
struct Level {
    std::vector<Mask> set;
    std::vector<std::vector<std::uint32_t>> parts;  // [set][part]: of the level below
    // Calls take(index, set) for each that lies in `of` and has its lowest expert.
    void of_lowest(Mask of, const std::function<void(std::size_t, Mask)>& take) const {
        const auto lowest = static_cast<std::size_t>(std::countr_zero(of));
        for (const std::uint32_t i : by_lowest[lowest])
            if ((set[i] & ~of) == 0) take(i, set[i]);
    }
    void add(Mask s, std::vector<std::uint32_t> p) {
        by_lowest.resize(32);
        by_lowest[static_cast<std::size_t>(std::countr_zero(s))].push_back(static_cast<std::uint32_t>(set.size()));
        set.push_back(s);
        parts.push_back(std::move(p));
    }
    std::vector<std::vector<std::uint32_t>> by_lowest;
};

void for_each_subset(std::size_t experts, std::size_t size, const std::function<void(Mask)>& take) {
    for (Mask m = 0; m < Mask{1} << experts; ++m)
        if (static_cast<std::size_t>(std::popcount(m)) == size) take(m);
}

Level groups_of(std::size_t experts, std::size_t size) {
    Level level;
    for_each_subset(experts, size, [&](Mask m) { level.add(m, {}); });
    return level;
}

// Every set of `size` experts in every way in which it is made of sets of the level below.
Level made_of(const Level& below, std::size_t experts, std::size_t size) {
    Level level;
    std::vector<std::uint32_t> chosen;
    const auto parts = [&](Mask of, const auto& take) { below.of_lowest(of, take); };
    for_each_subset(experts, size,
                    [&](Mask m) { for_each_partition(m, parts, chosen, [&] { level.add(m, chosen); }); });
    return level;
}

// [set of a layer][set of the next]: tokens from one to the other.
Matrix<double> between(const Level& level, const Matrix<double>& flow) {
    const std::size_t experts = flow.rows(), sets = level.set.size();
    Matrix<double> columns(experts, sets), sum(sets, sets);
    for (std::size_t e = 0; e < experts; ++e)
        for (std::size_t s = 0; s < sets; ++s)
            for (Mask m = level.set[s]; m != 0; m &= m - 1)
                columns(e, s) += flow(e, static_cast<std::size_t>(std::countr_zero(m)));
    for (std::size_t s = 0; s < sets; ++s)
        for (Mask m = level.set[s]; m != 0; m &= m - 1)
            for (std::size_t t = 0; t < sets; ++t)
                sum(s, t) += columns(static_cast<std::size_t>(std::countr_zero(m)), t);
    return sum;
}

// Most that is kept between two sets when their parts are matched one to one, `kept` being what pairs of parts keep.
class Matching {
  public:
    using Parts = std::vector<std::uint32_t>;

    double value(const Parts& from, const Parts& to, const Matrix<double>& kept) {
        const auto k = [&](std::size_t i, std::size_t j) { return kept(from[i], to[j]); };
        const auto pair = [&](std::size_t i, std::size_t a, std::size_t b) {  // parts i and i + 1 with a and b
            return std::max(k(i, a) + k(i + 1, b), k(i, b) + k(i + 1, a));
        };
        switch (from.size()) {
            case 1: return k(0, 0);
            case 2: return pair(0, 0, 1);
            case 3: return std::max({k(0, 0) + pair(1, 1, 2), k(0, 1) + pair(1, 0, 2), k(0, 2) + pair(1, 0, 1)});
            case 4:
                return std::max({pair(0, 0, 1) + pair(2, 2, 3), pair(0, 0, 2) + pair(2, 1, 3),
                                 pair(0, 0, 3) + pair(2, 1, 2), pair(0, 1, 2) + pair(2, 0, 3),
                                 pair(0, 1, 3) + pair(2, 0, 2), pair(0, 2, 3) + pair(2, 0, 1)});
            default: return match(from, to, kept);
        }
    }
    // [part of from]: part of to.
    Parts partners(const Parts& from, const Parts& to, const Matrix<double>& kept) {
        match(from, to, kept);
        return partner_;
    }

  private:
    double match(const Parts& from, const Parts& to, const Matrix<double>& kept) {
        const std::size_t n = from.size();
        if (cost_.rows() != n) cost_ = Matrix<double>(n, n);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < n; ++j) cost_(i, j) = -kept(from[i], to[j]);
        return -assignment_.solve(cost_, partner_);
    }
    Matrix<double> cost_;
    Assignment assignment_;
    Parts partner_;
};

double ways(std::size_t experts, std::size_t size, std::size_t parts) {  // partitions of size * parts of the experts
    double log = std::lgamma(static_cast<double>(experts) + 1);
    log -= std::lgamma(static_cast<double>(experts - size * parts) + 1);
    log -= static_cast<double>(parts) * std::lgamma(static_cast<double>(size) + 1);
    return std::exp(log - std::lgamma(static_cast<double>(parts) + 1));
}

// One level of positions is a single node.
PartitionSize flattened(const PartitionSize& s, bool flat) {
    return flat || s.nodes == 1 || s.positions == 1 ? PartitionSize{s.experts, 1, s.nodes * s.positions} : s;
}

}  // namespace

double PartitionSize::work(bool flat) const {
    const PartitionSize s = flattened(*this, flat);
    const std::size_t all = s.nodes * s.positions;
    if (all == 0 || experts % all != 0 || experts > 24) return std::numeric_limits<double>::infinity();
    const std::size_t each = experts / all;
    const double blocks = ways(experts, each, s.positions);
    double states = blocks;  // of the first node, times those of the others, over their order
    for (std::size_t n = 1; n < s.nodes; ++n)
        states *= ways(experts - n * each * s.positions, each, s.positions) / static_cast<double>(n + 1);
    const auto cubed = [](std::size_t n) { return n < 3 ? 1.0 : std::pow(static_cast<double>(n), 3); };
    return blocks * blocks * cubed(s.positions) + (s.nodes > 1 ? states * states * cubed(s.nodes) : 0);
}

Matrix<std::uint32_t> least_crossing(const std::vector<Matrix<double>>& flow, const PartitionSize& given,
                                     const CrossingCost& cost, const std::optional<GroupLimit>& limit) {
    if (!(given.work(cost.flat()) <= 1e8))
        throw InputError(
            fmt::format("exact affinity placement: found {} experts on {} nodes of {} positions, expected a "
                        "multiple of the positions and few partitions (8 experts, say)",
                        given.experts, given.nodes, given.positions));
    const PartitionSize size = flattened(given, cost.flat());
    const std::size_t layers = flow.size() + 1, each = size.experts / (size.nodes * size.positions);
    // What a pair of layers keeps: all costs `node`, less node - position inside of a node, less position inside of
    // one.
    const bool one_node = size.nodes == 1;
    const double keep_position = given.positions == 1 ? cost.node : cost.position;
    const double keep_node = one_node ? 0 : cost.node - cost.position;
    const Level groups = groups_of(size.experts, each);
    const Level blocks = made_of(groups, size.experts, each * size.positions);
    const Level states = made_of(blocks, size.experts, size.experts);
    const std::size_t count = states.set.size();

    Matrix<unsigned char> allowed(layers, count, 1);
    for (std::size_t l = 0; limit && l < layers; ++l) {
        double mean = 0;
        for (const double w : limit->load.row(l)) mean += w / static_cast<double>(size.nodes * size.positions);
        const auto heavy = [&](std::uint32_t group) {
            double sum = 0;
            for (Mask m = groups.set[group]; m != 0; m &= m - 1)
                sum += limit->load(l, static_cast<std::size_t>(std::countr_zero(m)));
            return sum > limit->factor * mean * (1 + 1e-12);
        };
        bool any = false;
        for (std::size_t s = 0; s < count; ++s) {
            for (const std::uint32_t b : states.parts[s])
                if (std::any_of(blocks.parts[b].begin(), blocks.parts[b].end(), heavy)) allowed(l, s) = 0;
            any = any || allowed(l, s) != 0;
        }
        if (!any)
            throw InputError(
                fmt::format("exact affinity placement: layer {} has no even partition whose heaviest "
                            "position has {} times the mean load or less",
                            l, limit->factor));
    }

    constexpr double none = -std::numeric_limits<double>::infinity();
    Matching matching;
    Matrix<double> block_kept(blocks.set.size(), blocks.set.size());
    const auto keep = [&](const Matrix<double>& f) {
        const Matrix<double> group_flow = between(groups, f);
        Matrix<double> block_flow;
        if (keep_node != 0) block_flow = between(blocks, f);
        for (std::size_t a = 0; a < blocks.set.size(); ++a)
            for (std::size_t b = 0; b < blocks.set.size(); ++b)
                block_kept(a, b) = keep_position * matching.value(blocks.parts[a], blocks.parts[b], group_flow) +
                                   (keep_node != 0 ? keep_node * block_flow(a, b) : 0);
        return group_flow;
    };
    std::vector<double> best(count, 0), next(count);
    Matrix<std::uint32_t> before(layers, count);
    for (std::size_t s = 0; s < count; ++s)
        if (allowed(0, s) == 0) best[s] = none;
    for (std::size_t l = 1; l < layers; ++l) {
        keep(flow[l - 1]);
        next.assign(count, none);
        for (std::size_t s = 0; s < count; ++s) {
            if (best[s] == none) continue;
            for (std::size_t t = 0; t < count; ++t) {
                if (allowed(l, t) == 0) continue;
                const double kept = best[s] + matching.value(states.parts[s], states.parts[t], block_kept);
                if (kept > next[t]) next[t] = kept, before(l, t) = static_cast<std::uint32_t>(s);
            }
        }
        best.swap(next);
    }
    std::vector<std::size_t> state(layers);
    state[layers - 1] = static_cast<std::size_t>(std::max_element(best.begin(), best.end()) - best.begin());
    for (std::size_t l = layers - 1; l > 0; --l) state[l - 1] = before(l, state[l]);

    // Labels: those of the first layer as they come, then along the matchings.
    Matrix<std::uint32_t> place(layers, size.experts);
    using Labels = std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>;  // (block, part): position
    Labels labels;
    const auto put = [&](std::size_t l, std::uint32_t group, std::uint32_t position) {
        for (Mask m = groups.set[group]; m != 0; m &= m - 1)
            place(l, static_cast<std::size_t>(std::countr_zero(m))) = position;
    };
    std::uint32_t position = 0;
    for (const std::uint32_t b : states.parts[state[0]])
        for (std::uint32_t i = 0; i < blocks.parts[b].size(); ++i) {
            labels[{b, i}] = position;
            put(0, blocks.parts[b][i], position++);
        }
    for (std::size_t l = 1; l < layers; ++l) {
        const Matrix<double> group_flow = keep(flow[l - 1]);
        const auto &from = states.parts[state[l - 1]], &to = states.parts[state[l]];
        const Matching::Parts node = matching.partners(from, to, block_kept);
        Labels now;
        for (std::size_t n = 0; n < from.size(); ++n) {
            const std::uint32_t a = from[n], b = to[node[n]];
            const Matching::Parts partner = matching.partners(blocks.parts[a], blocks.parts[b], group_flow);
            for (std::uint32_t i = 0; i < blocks.parts[a].size(); ++i) {
                const std::uint32_t j = partner[i];
                put(l, blocks.parts[b][j], now[{b, j}] = labels[{a, i}]);
            }
        }
        labels = std::move(now);
    }
    return place;
}

}  // namespace moesim
