#include "traffic/exchange.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {
namespace {

// Rows from one data index to the positions of its expert group, before they are laid onto ranks.
struct SourceCounts {
    std::vector<std::int64_t> to_position;  // [position]: copies that its experts get
    std::vector<std::int64_t> to_node;      // [node]: tokens with an expert there (dedup = node only)
    std::vector<std::int64_t> assignments;  // [expert]
    std::int64_t tokens = 0;
};

// The distinct values among a token's few destinations. k is small: a scan beats any set.
class DistinctSet {
  public:
    bool insert(std::size_t value) {
        if (std::find(values_.begin(), values_.end(), value) != values_.end()) return false;
        values_.push_back(value);
        return true;
    }
    void clear() { values_.clear(); }

  private:
    std::vector<std::size_t> values_;
};

class Counter {
  public:
    Counter(LayerId layer, Dedup dedup, const Placement& placement, const RankGrid& grid, const Fabric& fabric)
        : layer_(layer), dedup_(dedup), placement_(placement), grid_(grid), fabric_(fabric) {
        out_.local_rows.resize(grid.ranks());
        out_.home_rows.resize(grid.ranks());
        out_.sent_rows.resize(grid.ranks());
        out_.received_rows.resize(grid.ranks());
        out_.forwarded_rows.resize(grid.ranks());
        out_.tokens.resize(grid.ranks());
        out_.assignments = Matrix<std::int64_t>(grid.ranks(), placement.experts());
    }

    void add(const SourceChoices& source) {
        const SourceCounts counts = count(source);
        for (std::size_t t = 0; t < grid_.tensor(); ++t) lay_onto_ranks(source.data, t, counts);
    }

    Exchange take() { return std::move(out_); }

  private:
    [[nodiscard]] std::size_t node_of(std::size_t data) const { return fabric_.node_of(grid_.rank(data, 0)).value(); }

    SourceCounts count(const SourceChoices& source) const {
        const std::size_t group = grid_.group_begin(source.data);
        SourceCounts c;
        c.to_position.resize(grid_.expert());
        c.to_node.resize(fabric_.nodes());
        c.assignments.resize(placement_.experts());
        c.tokens = static_cast<std::int64_t>(source.choices.size() / source.width);
        DistinctSet positions, nodes;
        for (std::size_t first = 0; first < source.choices.size(); first += source.width) {
            positions.clear();
            nodes.clear();
            for (const ExpertIndex expert : source.choices.subspan(first, source.width)) {
                if (expert == no_expert) continue;
                ++c.assignments[expert];
                const std::size_t position = placement_.position(layer_, expert);
                if (dedup_ == Dedup::none || positions.insert(position)) ++c.to_position[position];
                if (dedup_ == Dedup::node) {
                    const std::size_t node = node_of(group + position);
                    if (nodes.insert(node)) ++c.to_node[node];
                }
            }
        }
        return c;
    }

    void lay_onto_ranks(std::size_t data, std::size_t tensor, const SourceCounts& c) {
        const RankId from = grid_.rank(data, tensor);
        const std::size_t group = grid_.group_begin(data);
        out_.tokens[from.value()] += c.tokens;
        for (std::size_t expert = 0; expert < c.assignments.size(); ++expert)
            if (c.assignments[expert] > 0)
                out_.assignments(owner(group, tensor, expert).value(), expert) += c.assignments[expert];
        for (std::size_t position = 0; position < grid_.expert(); ++position) {
            const std::int64_t rows = c.to_position[position];
            if (rows == 0) continue;
            const RankId to = grid_.rank(group + position, tensor);
            out_.received_rows[to.value()] += rows;
            if (to == from) {
                out_.local_rows[from.value()] += rows;
                out_.sent_rows[from.value()] += rows;
            } else if (dedup_ != Dedup::node || !fabric_.crosses_nodes(from, to)) {
                out_.hops.push_back({from, to, rows});
                out_.sent_rows[from.value()] += rows;
            }
        }
        if (dedup_ != Dedup::node) return;
        out_.home_rows[from.value()] += c.to_node[fabric_.node_of(from).value()];
        lay_over_nodes(from, group, tensor, c);
    }

    // One message a remote node, then forwarding inside of it.
    void lay_over_nodes(RankId from, std::size_t group, std::size_t tensor, const SourceCounts& c) {
        for (std::size_t node = 0; node < fabric_.nodes(); ++node) {
            const std::int64_t rows = c.to_node[node];
            if (rows == 0 || node == fabric_.node_of(from).value()) continue;
            const RankId proxy = proxy_in(node, from, group, tensor);
            const auto first = static_cast<std::int32_t>(out_.hops.size());
            out_.hops.push_back({from, proxy, rows});
            out_.sent_rows[from.value()] += rows;
            out_.forwarded_rows[proxy.value()] += rows;
            for (std::size_t position = 0; position < grid_.expert(); ++position) {
                const RankId to = grid_.rank(group + position, tensor);
                const std::int64_t forwarded = c.to_position[position];
                if (forwarded > 0 && to != proxy && fabric_.node_of(to).value() == node)
                    out_.hops.push_back({proxy, to, forwarded, first});
            }
        }
    }

    // The member of the group on `node` whose place among the group's members there is the sender's place at home.
    [[nodiscard]] RankId proxy_in(std::size_t node, RankId from, std::size_t group, std::size_t tensor) const {
        std::vector<RankId> there;
        std::size_t place = 0;
        for (std::size_t position = 0; position < grid_.expert(); ++position) {
            const RankId rank = grid_.rank(group + position, tensor);
            if (fabric_.node_of(rank).value() == node) there.push_back(rank);
            if (fabric_.node_of(rank) == fabric_.node_of(from) && rank < from) ++place;
        }
        return there[place % there.size()];
    }

    [[nodiscard]] RankId owner(std::size_t group, std::size_t tensor, std::size_t expert) const {
        return grid_.rank(group + placement_.position(layer_, expert), tensor);
    }

    LayerId layer_;
    Dedup dedup_;
    const Placement& placement_;
    const RankGrid& grid_;
    const Fabric& fabric_;
    Exchange out_;
};

}  // namespace

std::int64_t Exchange::computed_rows(std::size_t rank) const {
    const auto row = assignments.row(rank);
    return std::accumulate(row.begin(), row.end(), std::int64_t{0});
}

Exchange count_exchange(std::span<const SourceChoices> sources, LayerId layer, Dedup dedup, const Placement& placement,
                        const RankGrid& grid, const Fabric& fabric) {
    Counter counter(layer, dedup, placement, grid, fabric);
    for (const SourceChoices& source : sources) counter.add(source);
    return counter.take();
}

}  // namespace moesim
