#include "calibrate/execute/chunk_rows.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"

namespace moesim {
namespace {

std::int32_t i32(std::size_t v) { return static_cast<std::int32_t>(v); }

// Rows of the messages in ascending order of messages, of one in the order of nodes.
using OfMessage = std::map<std::uint32_t, std::vector<std::uint32_t>>;  // nodes

// Lists of terms as a table, with -1 where a list is shorter than the longest one.
std::vector<std::int32_t> table_of(const std::vector<std::vector<std::int32_t>>& lists, std::int64_t& width) {
    width = 1;
    for (const auto& list : lists) width = std::max(width, static_cast<std::int64_t>(list.size()));
    std::vector<std::int32_t> table(lists.size() * static_cast<std::size_t>(width), -1);
    for (std::size_t i = 0; i < lists.size(); ++i)
        std::copy(lists[i].begin(), lists[i].end(),
                  table.begin() + static_cast<std::ptrdiff_t>(i * static_cast<std::size_t>(width)));
    return table;
}

class Builder {
  public:
    Builder(const RowTree& tree, RankId rank, std::size_t source, std::int64_t tokens)
        : tree_(tree), rank_(rank), source_(source), tokens_(static_cast<std::size_t>(tokens)),
          stored_at_(tree.nodes.size(), -1), sums_at_(tree.nodes.size(), -1), children_(tree.nodes.size()) {}

    ChunkRows build(const std::vector<ExpertIndex>& local_experts, const std::vector<SourceGates>& gates) {
        sort_nodes();
        lay_out_stored();
        lay_out_sent();
        assign(local_experts, gates);
        lay_out_back();
        take_home();
        return std::move(rows_);
    }

  private:
    // The rank that a node's row came from.
    [[nodiscard]] RankId sender(const RowNode& node) const {
        return node.parent == RowNode::none ? RankId(node.source) : tree_.nodes[node.parent].at;
    }

    void sort_nodes() {
        for (std::uint32_t n = 0; n < tree_.nodes.size(); ++n) {
            const RowNode& node = tree_.nodes[n];
            if (node.message == RowNode::none) {
                if (node.at == rank_) local_.push_back(n);
                continue;
            }
            if (node.at == rank_) in_[node.message].push_back(n);
            if (sender(node) == rank_) out_[node.message].push_back(n);
            if (node.parent != RowNode::none && sender(node) == rank_) children_[node.parent].push_back(n);
        }
    }

    void lay_out_stored() {
        for (const std::uint32_t n : local_) {
            stored_at_[n] = static_cast<std::int32_t>(rows_.stored++);
            rows_.pack_local.push_back(static_cast<std::int32_t>(tree_.nodes[n].token));
        }
        rows_.local = rows_.stored;
        for (const auto& [message, nodes] : in_) {
            rows_.received.push_back({message, rows_.stored, static_cast<std::int64_t>(nodes.size())});
            for (const std::uint32_t n : nodes) stored_at_[n] = static_cast<std::int32_t>(rows_.stored++);
        }
    }

    void lay_out_sent() {
        for (const auto& [message, nodes] : out_) {
            const MessageRows run{message, i64(rows_.pack_sent.size()), i64(nodes.size())};
            ChunkRows::Forwarded forwarded{message, {}};
            bool own = true;
            for (const std::uint32_t n : nodes) {
                const RowNode& node = tree_.nodes[n];
                if (node.parent == RowNode::none) {
                    forwarded.rows.push_back(-1 - i32(rows_.pack_sent.size()));
                    rows_.pack_sent.push_back(static_cast<std::int32_t>(node.token));
                } else {
                    forwarded.rows.push_back(stored_at_[node.parent]);
                    own = false;
                }
            }
            if (own)
                rows_.sent.push_back(run);
            else
                rows_.forwarded.push_back(std::move(forwarded));
        }
    }

    void assign(const std::vector<ExpertIndex>& local_experts, const std::vector<SourceGates>& gates) {
        std::vector<std::vector<const Assignment*>> of_expert(local_experts.size());
        for (const Assignment& a : tree_.assignments) {
            if (tree_.nodes[a.node].at != rank_) continue;
            const auto found = std::lower_bound(local_experts.begin(), local_experts.end(), a.expert);
            if (found == local_experts.end() || *found != a.expert)
                throw InternalError("a row was sent to a rank without its expert");
            of_expert[static_cast<std::size_t>(found - local_experts.begin())].push_back(&a);
        }
        std::vector<std::vector<std::pair<std::uint32_t, std::int32_t>>> terms(static_cast<std::size_t>(rows_.stored));
        rows_.group_begin = {0};
        for (const auto& list : of_expert) {
            for (const Assignment* a : list) {
                const RowNode& node = tree_.nodes[a->node];
                terms[static_cast<std::size_t>(stored_at_[a->node])].emplace_back(a->place, i32(rows_.gather.size()));
                rows_.gather.push_back(stored_at_[a->node]);
                rows_.weights.push_back(gates[node.source].of(node.token, a->place));
            }
            rows_.group_begin.push_back(i64(rows_.gather.size()));
        }
        std::vector<std::vector<std::int32_t>> sum;
        for (auto& list : terms) {
            std::sort(list.begin(), list.end());
            sum.emplace_back();
            for (const auto& [place, row] : list) sum.back().push_back(row);
        }
        rows_.sum = table_of(sum, rows_.sum_width);
    }

    void lay_out_back() {
        rows_.sums = rows_.stored;
        for (const auto& [message, nodes] : out_) {
            rows_.back_received.push_back({message, rows_.sums, i64(nodes.size())});
            for (const std::uint32_t n : nodes) sums_at_[n] = static_cast<std::int32_t>(rows_.sums++);
        }
        for (const MessageRows& run : rows_.received) {
            ChunkRows::Back back;
            back.run = run;  // sums begin as stored rows do
            const auto& nodes = in_.at(run.message);
            const auto was_sent_on = [&](std::uint32_t n) { return !children_[n].empty(); };
            if (std::any_of(nodes.begin(), nodes.end(), was_sent_on)) {
                std::vector<std::vector<std::int32_t>> terms;
                for (const std::uint32_t n : nodes) {
                    terms.emplace_back();
                    if (has_own_sum(stored_at_[n])) terms.back().push_back(stored_at_[n]);
                    for (const std::uint32_t child : children_[n]) terms.back().push_back(sums_at_[child]);
                }
                back.terms = table_of(terms, back.width);
            }
            rows_.back.push_back(std::move(back));
        }
    }

    [[nodiscard]] bool has_own_sum(std::int32_t stored) const {
        return rows_.sum[static_cast<std::size_t>(stored * rows_.sum_width)] >= 0;
    }

    void take_home() {
        std::vector<std::vector<std::int32_t>> of_token(tokens_);
        for (std::uint32_t n = 0; n < tree_.nodes.size(); ++n) {
            const RowNode& node = tree_.nodes[n];
            if (node.source != source_ || node.parent != RowNode::none) continue;
            of_token[node.token].push_back(node.message == RowNode::none ? stored_at_[n] : sums_at_[n]);
        }
        for (const auto& list : of_token) {
            rows_.copies.push_back(i32(list.size()));
            rows_.unpack.insert(rows_.unpack.end(), list.begin(), list.end());
        }
    }

    static std::int64_t i64(std::size_t v) { return static_cast<std::int64_t>(v); }

    const RowTree& tree_;
    RankId rank_;
    std::size_t source_, tokens_;
    std::vector<std::uint32_t> local_;
    OfMessage in_, out_;
    std::vector<std::int32_t> stored_at_, sums_at_;     // [node]
    std::vector<std::vector<std::uint32_t>> children_;  // [node]: copies that this rank made of it
    ChunkRows rows_;
};

}  // namespace

ChunkRows chunk_rows(const RowTree& tree, RankId rank, std::size_t source, std::int64_t tokens,
                     const std::vector<ExpertIndex>& local_experts, const std::vector<SourceGates>& gates) {
    return Builder(tree, rank, source, tokens).build(local_experts, gates);
}

}  // namespace moesim
