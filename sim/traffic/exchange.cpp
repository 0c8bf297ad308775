#include "traffic/exchange.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {
namespace {

// Rows from one data index to the positions of its expert group, before they are laid onto ranks.
struct SourceCounts {
    std::vector<std::int64_t> to_position;  // [position]: copies that its experts get
    std::vector<std::int64_t> to_node;      // [node]: tokens with an expert there (dedup = node only)
    std::vector<std::int64_t> assignments;  // [copy of an expert]
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
    Counter(const LayerCopies& copies, Dedup dedup, const RankGrid& grid, const Fabric& fabric)
        : copies_(copies), dedup_(dedup), grid_(grid), fabric_(fabric) {
        out_.local_rows.resize(grid.ranks());
        out_.home_rows.resize(grid.ranks());
        out_.sent_rows.resize(grid.ranks());
        out_.received_rows.resize(grid.ranks());
        out_.forwarded_rows.resize(grid.ranks());
        out_.tokens.resize(grid.ranks());
        out_.assignments = Matrix<std::int64_t>(grid.ranks(), copies.experts());
    }

    // `copy_of` an element of the choices: the copy that it goes to, or no_copy.
    template <class Choice, class CopyOf>
    void add(std::size_t data, std::span<const Choice> choices, std::size_t width, CopyOf copy_of) {
        const SourceCounts counts = count(data, choices, width, copy_of);
        for (std::size_t t = 0; t < grid_.tensor(); ++t) lay_onto_ranks(data, t, counts);
    }

    Exchange take() { return std::move(out_); }

  private:
    [[nodiscard]] std::size_t node_of(std::size_t data) const { return fabric_.node_of(grid_.rank(data, 0)).value(); }

    template <class Choice, class CopyOf>
    SourceCounts count(std::size_t data, std::span<const Choice> choices, std::size_t width, CopyOf copy_of) const {
        const std::size_t group = grid_.group_begin(data);
        SourceCounts c;
        c.to_position.resize(grid_.expert());
        c.to_node.resize(fabric_.nodes());
        c.assignments.resize(copies_.size());
        c.tokens = static_cast<std::int64_t>(choices.size() / width);
        DistinctSet positions, nodes;
        for (std::size_t first = 0; first < choices.size(); first += width) {
            positions.clear();
            nodes.clear();
            for (const Choice choice : choices.subspan(first, width)) {
                const CopyIndex copy = copy_of(choice);
                if (copy == no_copy) continue;
                ++c.assignments[copy];
                const std::size_t position = copies_.position(copy);
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
        for (CopyIndex copy = 0; copy < c.assignments.size(); ++copy)
            if (c.assignments[copy] > 0)
                out_.assignments(owner(group, tensor, copy).value(), copies_.expert(copy)) += c.assignments[copy];
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

    [[nodiscard]] RankId owner(std::size_t group, std::size_t tensor, CopyIndex copy) const {
        return grid_.rank(group + copies_.position(copy), tensor);
    }

    const LayerCopies& copies_;
    Dedup dedup_;
    const RankGrid& grid_;
    const Fabric& fabric_;
    Exchange out_;
};

}  // namespace

std::int64_t Exchange::computed_rows(std::size_t rank) const {
    const auto row = assignments.row(rank);
    return std::accumulate(row.begin(), row.end(), std::int64_t{0});
}

Exchange count_exchange(std::span<const SourceChoices> sources, CopyChooser& chooser, Dedup dedup, const RankGrid& grid,
                        const Fabric& fabric) {
    Counter counter(chooser.copies(), dedup, grid, fabric);
    // Where nothing is replicated an expert is its only copy, and nothing is looked up.
    const auto only_copy = [](ExpertIndex e) { return e == no_expert ? no_copy : CopyIndex{e}; };
    for (const SourceChoices& s : sources) {
        const auto next_copy = [&](ExpertIndex e) { return e == no_expert ? no_copy : chooser.choose(s.data, e); };
        if (chooser.copies().replicated())
            counter.add(s.data, s.choices, s.width, next_copy);
        else
            counter.add(s.data, s.choices, s.width, only_copy);
    }
    return counter.take();
}

Exchange count_exchange(std::span<const SourceCopies> sources, const LayerCopies& copies, Dedup dedup,
                        const RankGrid& grid, const Fabric& fabric) {
    Counter counter(copies, dedup, grid, fabric);
    for (const SourceCopies& s : sources) counter.add(s.data, s.copies, s.width, [](CopyIndex copy) { return copy; });
    return counter.take();
}

Exchange count_exchange(std::span<const SourceChoices> sources, LayerId layer, Dedup dedup, const Placement& placement,
                        const RankGrid& grid, const Fabric& fabric, ReplicaPolicy policy) {
    CopyChooser chooser(placement, layer, policy, grid, fabric);
    return count_exchange(sources, chooser, dedup, grid, fabric);
}

}  // namespace moesim
