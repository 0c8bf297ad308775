// Operations that choose experts and sort what was chosen.
#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "kernels/cpu/operations.hpp"
#include "kernels/cpu/parallel.hpp"

namespace moesim::kernels {
namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Of one expert: what its tokens' scores have to exceed, and the last token that gets by with just that score.
struct Threshold {
    float score = 0;
    std::int64_t last_equal = -1;
    [[nodiscard]] bool met(float s, std::int64_t token) const {
        return s > score || (s == score && s > 0 && token <= last_equal);
    }
};

// Scores [token] of an expert whose `capacity` best tokens are taken.
Threshold threshold_of(std::span<const float> scores, std::int64_t capacity) {
    if (capacity == 0) return {std::numeric_limits<float>::infinity(), -1};
    const auto tokens = static_cast<std::int64_t>(scores.size());
    if (capacity >= tokens) return {0, -1};
    std::vector<float> sorted(scores.begin(), scores.end());
    const auto last = sorted.begin() + (capacity - 1);
    std::nth_element(sorted.begin(), last, sorted.end(), std::greater<>());
    Threshold threshold{*last, -1};
    auto room = capacity - std::count_if(scores.begin(), scores.end(), [&](float s) { return s > threshold.score; });
    for (std::int64_t t = 0; room > 0; ++t)
        if (scores[index(t)] == threshold.score) {
            threshold.last_equal = t;
            --room;
        }
    return threshold;
}

// How often each expert occurs in each run of choices: [run][expert], runs being those of in_parallel.
class Histogram {
  public:
    Histogram(int runs, std::int64_t experts) : experts_(experts), counts_(index(runs * experts)) {}
    std::int32_t* run(int r) { return counts_.data() + r * experts_; }

  private:
    std::int64_t experts_;
    std::vector<std::int32_t> counts_;
};

// Calls use(run, begin, end) as in_parallel does.
template <class Use>
void in_runs(int runs, std::int64_t count, const Use& use) {
    in_parallel(runs, runs, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t r = first; r < last; ++r) use(static_cast<int>(r), count * r / runs, count * (r + 1) / runs);
    });
}

}  // namespace

void CpuOperations::do_select(Stream&, const Selection& selection, ConstMatrixView logits, RoutingView out) {
    const Rows<const float> table = logits.as<float>();
    in_parallel(threads_for(threads_, 16 * logits.bytes()), table.rows, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> scratch(index(selection_scratch(table.cols)));
        Rows<const float> part = table;
        part.data = table.row(begin);
        part.rows = end - begin;
        code_.select(selection, part, out.experts.data + begin * out.width, out.weights.data + begin * out.width,
                     scratch.data());
    });
}

void CpuOperations::do_select_by_hash(Stream&, const HashSelection& selection, RoutingView out) {
    std::int64_t next = (selection.offset + selection.first_position * selection.top_k) % selection.experts;
    const float weight = 1.0F / static_cast<float>(selection.top_k);
    for (std::int64_t c = 0; c < out.choices(); ++c) {
        out.experts.data[c] = static_cast<ExpertIndex>(next);
        out.weights.data[c] = weight;
        if (++next == selection.experts) next = 0;
    }
}

void CpuOperations::do_choose_tokens(Stream&, Score score, std::int64_t capacity, ConstMatrixView logits,
                                     RoutingView out, ArrayView<std::int64_t> lost) {
    const Rows<const float> table = logits.as<float>();
    const std::int64_t tokens = table.rows, experts = table.cols;
    const int threads = threads_for(threads_, 16 * logits.bytes());
    // [token][expert] and its transpose, of which each serves one of the two passes.
    std::vector<float> scores(index(tokens * experts)), of_expert(scores.size());
    in_parallel(threads, tokens, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> scratch(index(selection_scratch(experts)));
        constexpr std::int64_t at_once = 16;  // a line of the cache of each expert's row
        for (std::int64_t first = begin; first < end; first += at_once) {
            const std::int64_t last = std::min(first + at_once, end);
            for (std::int64_t t = first; t < last; ++t)
                code_.scores(score, table.row(t), experts, &scores[index(t * experts)], scratch.data());
            for (std::int64_t e = 0; e < experts; ++e)
                for (std::int64_t t = first; t < last; ++t)
                    of_expert[index(e * tokens + t)] = scores[index(t * experts + e)];
        }
    });
    std::vector<Threshold> thresholds(index(experts));
    in_parallel(threads, experts, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t e = begin; e < end; ++e)
            thresholds[index(e)] =
                threshold_of(std::span(of_expert).subspan(index(e * tokens), index(tokens)), capacity);
    });
    std::vector<std::int64_t> lost_by(index(threads));
    in_runs(threads, tokens, [&](int run, std::int64_t begin, std::int64_t end) {
        std::vector<ExpertIndex> chosen;
        for (std::int64_t t = begin; t < end; ++t) {
            const float* const score_of = &scores[index(t * experts)];
            chosen.clear();
            for (std::int64_t e = 0; e < experts; ++e)
                if (thresholds[index(e)].met(score_of[e], t)) chosen.push_back(static_cast<ExpertIndex>(e));
            std::stable_sort(chosen.begin(), chosen.end(),
                             [&](ExpertIndex a, ExpertIndex b) { return score_of[a] > score_of[b]; });
            const std::int64_t held = std::min(static_cast<std::int64_t>(chosen.size()), out.width);
            lost_by[index(run)] += static_cast<std::int64_t>(chosen.size()) - held;
            for (std::int64_t i = 0; i < out.width; ++i) {
                const ExpertIndex e = i < held ? chosen[index(i)] : no_expert;
                out.experts.data[t * out.width + i] = e;
                out.weights.data[t * out.width + i] = i < held ? score_of[e] : 0;
            }
        }
    });
    lost.data[0] = std::accumulate(lost_by.begin(), lost_by.end(), std::int64_t{0});
}

void CpuOperations::do_limit_load(Stream&, std::int64_t capacity, RoutingView routing, ArrayView<std::int32_t> load) {
    std::fill_n(load.data, load.size, 0);
    for (std::int64_t c = 0; c < routing.choices(); ++c) {
        ExpertIndex& expert = routing.experts.data[c];
        if (expert < load.size && load.data[expert] < capacity) {
            ++load.data[expert];
        } else {
            expert = no_expert;
            routing.weights.data[c] = 0;
        }
    }
}

void CpuOperations::do_order_by_destination(Stream&, ConstRoutingView routing,
                                            ArrayView<const std::int32_t> rank_of_expert,
                                            const DispatchOrderView& out) {
    const std::int64_t experts = rank_of_expert.size, ranks = out.rank_rows.size, choices = routing.choices();
    const auto rank_of = [&](std::int64_t e) { return rank_of_expert.data[e]; };
    const auto lives = [&](std::int64_t e) { return rank_of(e) >= 0 && rank_of(e) < ranks; };
    const int runs = threads_for(threads_, 8 * choices);
    Histogram counts(runs, experts);
    in_runs(runs, choices, [&](int run, std::int64_t begin, std::int64_t end) {
        std::int32_t* const count = counts.run(run);
        for (std::int64_t c = begin; c < end; ++c)
            if (const ExpertIndex e = routing.experts.data[c]; e < experts) ++count[e];
    });
    // Rows of each rank, and with it where each rank begins.
    std::fill_n(out.rank_rows.data, ranks, 0);
    for (std::int64_t e = 0; e < experts; ++e) {
        std::int32_t rows = 0;
        for (int run = 0; run < runs; ++run) rows += counts.run(run)[e];
        out.expert_rows.data[e] = lives(e) ? rows : 0;
        if (lives(e)) out.rank_rows.data[rank_of(e)] += rows;
    }
    out.rank_begin.data[0] = 0;
    std::partial_sum(out.rank_rows.data, out.rank_rows.data + ranks, out.rank_begin.data + 1);
    const std::int32_t used = out.rank_begin.data[ranks];
    // Experts in ascending order take what is left of their rank, and the runs in theirs what is left of the expert's.
    std::vector<std::int32_t> next(out.rank_begin.data, out.rank_begin.data + ranks);
    for (std::int64_t e = 0; e < experts; ++e) {
        if (!lives(e)) {
            out.expert_begin.data[e] = used;
            continue;
        }
        std::int32_t begin = next[index(rank_of(e))];
        out.expert_begin.data[e] = begin;
        next[index(rank_of(e))] += out.expert_rows.data[e];
        for (int run = 0; run < runs; ++run) begin += std::exchange(counts.run(run)[e], begin);
    }
    in_runs(runs, choices, [&](int run, std::int64_t begin, std::int64_t end) {
        std::int32_t* const place = counts.run(run);
        for (std::int64_t c = begin; c < end; ++c) {
            const ExpertIndex e = routing.experts.data[c];
            std::int32_t slot = -1;
            if (e < experts && lives(e)) {
                slot = place[e]++;
                out.choice.data[slot] = static_cast<std::int32_t>(c);
            }
            out.slot.data[c] = slot;
        }
    });
    std::fill(out.choice.data + used, out.choice.data + choices, -1);
}

// A routing of tokens to ranks, sorted as one to experts of which each rank has one.
void CpuOperations::do_order_by_rank(Stream& stream, ConstRoutingView routing,
                                     ArrayView<const std::int32_t> rank_of_expert, const RankOrderView& out) {
    const std::int64_t ranks = out.rank_rows.size, choices = routing.choices(), width = routing.width;
    const int threads = threads_for(threads_, 8 * choices);
    const auto rank_of = [&](std::int64_t c) -> std::int64_t {
        const ExpertIndex e = routing.experts.data[c];
        const std::int64_t rank = e < rank_of_expert.size ? rank_of_expert.data[e] : -1;
        return rank < ranks ? rank : -1;
    };
    // The token's first choice of the same rank.
    const auto first_of = [&](std::int64_t c) {
        std::int64_t first = c - c % width;
        while (rank_of(first) != rank_of(c)) ++first;
        return first;
    };
    std::vector<ExpertIndex> firsts(index(choices));
    in_parallel(threads, choices, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c)
            firsts[index(c)] = rank_of(c) >= 0 && first_of(c) == c ? static_cast<ExpertIndex>(rank_of(c)) : no_expert;
    });
    std::vector<std::int32_t> itself(index(ranks)), begin_of_rank(index(ranks)), rows_of_rank(index(ranks));
    std::iota(itself.begin(), itself.end(), 0);
    do_order_by_destination(stream, {routing.tokens, width, {firsts.data(), choices}, {}}, {itself.data(), ranks},
                            {out.rank_rows,
                             {begin_of_rank.data(), ranks},
                             {rows_of_rank.data(), ranks},
                             out.rank_begin,
                             out.token,
                             out.sent});
    in_parallel(threads, choices, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t c = begin; c < end; ++c) {
            out.slot.data[c] = rank_of(c) < 0 ? -1 : out.sent.data[first_of(c)];
            if (out.token.data[c] >= 0) out.token.data[c] = static_cast<std::int32_t>(out.token.data[c] / width);
        }
    });
}

}  // namespace moesim::kernels
