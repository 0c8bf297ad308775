#include "workload/topk.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <vector>

namespace moesim {
namespace {

constexpr float no_logit = -std::numeric_limits<float>::infinity();
constexpr std::size_t small = 16;  // the most that insertion chooses

// The best of what it is offered, in ascending order of ids: most meet one comparison.
class Insertion {
  public:
    Insertion(std::span<const float> logits, std::span<ExpertIndex> chosen) : logits_(logits), chosen_(chosen) {}

    void offer(std::size_t e) {
        const float logit = logits_[e];
        if (!(logit > last_)) return;
        // From the back; an equal logit stays behind the earlier, lower id.
        std::size_t place = held_ < chosen_.size() ? held_++ : held_ - 1;
        for (; place > 0 && logits_[chosen_[place - 1]] < logit; --place) chosen_[place] = chosen_[place - 1];
        chosen_[place] = static_cast<ExpertIndex>(e);
        if (held_ == chosen_.size()) last_ = logits_[chosen_.back()];
    }
    void finish() { std::fill(chosen_.begin() + static_cast<std::ptrdiff_t>(held_), chosen_.end(), no_expert); }

  private:
    std::span<const float> logits_;
    std::span<ExpertIndex> chosen_;
    std::size_t held_ = 0;
    float last_ = no_logit;  // what a logit has to exceed
};

// At most the k-th largest of the logits: the k-th largest of the largest ones of `small` interleaved parts.
float lower_bound_of_kth(std::span<const float> logits, std::size_t k) {
    std::array<float, small> part{}, best{};
    std::copy_n(logits.begin(), small, part.begin());
    for (std::size_t row = small; row + small <= logits.size(); row += small)
        for (std::size_t i = 0; i < small; ++i) part[i] = part[i] < logits[row + i] ? logits[row + i] : part[i];
    best.fill(no_logit);
    for (float x : part)  // insertion without branches, which would be hard to predict
        for (std::size_t i = 0; i < k; ++i) {
            const float b = best[i];
            best[i] = b < x ? x : b;
            x = b < x ? b : x;
        }
    return best[k - 1];
}

constexpr std::size_t most_experts = 1024;

// Few logits reach the bound, so that the unpredictable branches of insertion are few.
void insert_candidates(std::span<const float> logits, std::span<ExpertIndex> chosen) {
    const float bound = lower_bound_of_kth(logits, chosen.size());
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): filled before it is read
    std::array<ExpertIndex, most_experts> candidates;
    std::size_t count = 0;
    for (std::size_t e = 0; e < logits.size(); ++e) {
        candidates[count] = static_cast<ExpertIndex>(e);
        count += logits[e] >= bound ? 1 : 0;
    }
    Insertion best(logits, chosen);
    for (const ExpertIndex e : std::span(candidates).first(count)) best.offer(e);
    best.finish();
}

// The best one or two. A bound first, so that few logits meet the branches, which are hard to predict: the second
// largest of the largest ones of interleaved parts is at most the second largest of all.
void insert_two(std::span<const float> logits, std::span<ExpertIndex> chosen) {
    constexpr std::size_t parts = 8;
    std::array<float, parts> most{};
    most.fill(no_logit);
    for (std::size_t row = 0; row + parts <= logits.size(); row += parts)
        for (std::size_t i = 0; i < parts; ++i) most[i] = most[i] < logits[row + i] ? logits[row + i] : most[i];
    float first = no_logit, second = no_logit;
    for (const float x : most) {
        const float loser = first < x ? first : x;
        first = first < x ? x : first;
        second = second < loser ? loser : second;
    }
    const float bound = chosen.size() == 1 ? first : second;
    std::array<ExpertIndex, 2> best = {no_expert, no_expert};
    std::array<float, 2> held = {no_logit, no_logit};
    const auto offer = [&](std::size_t e) {
        if (logits[e] > held[0]) {
            best = {static_cast<ExpertIndex>(e), best[0]};
            held = {logits[e], held[0]};
        } else if (logits[e] > held[1]) {
            best[1] = static_cast<ExpertIndex>(e);
            held[1] = logits[e];
        }
    };
    std::size_t begin = 0;
    for (; begin + parts <= logits.size(); begin += parts) {
        unsigned reached = 0;  // a bit each
        for (std::size_t i = 0; i < parts; ++i) reached |= (logits[begin + i] >= bound ? 1U : 0U) << i;
        for (; reached != 0; reached &= reached - 1) offer(begin + static_cast<std::size_t>(std::countr_zero(reached)));
    }
    for (; begin < logits.size(); ++begin) offer(begin);
    std::copy_n(best.begin(), chosen.size(), chosen.begin());
}

}  // namespace

void select_topk(std::span<const float> logits, std::span<ExpertIndex> chosen) {
    if (chosen.empty()) return;
    if (chosen.size() <= 2) {
        insert_two(logits, chosen);
        return;
    }
    if (chosen.size() <= small) {
        // Below these sizes, measured, the search for candidates costs more than it saves.
        if (logits.size() >= 32 && logits.size() <= most_experts) {
            insert_candidates(logits, chosen);
            return;
        }
        Insertion best(logits, chosen);
        for (std::size_t e = 0; e < logits.size(); ++e) best.offer(e);
        best.finish();
        return;
    }
    std::vector<ExpertIndex> ids;
    for (std::size_t e = 0; e < logits.size(); ++e)
        if (logits[e] != no_logit) ids.push_back(static_cast<ExpertIndex>(e));
    const std::size_t count = std::min(ids.size(), chosen.size());
    std::partial_sort(
        ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
        [&](ExpertIndex a, ExpertIndex b) { return logits[a] != logits[b] ? logits[a] > logits[b] : a < b; });
    std::copy_n(ids.begin(), count, chosen.begin());
    std::fill(chosen.begin() + static_cast<std::ptrdiff_t>(count), chosen.end(), no_expert);
}

}  // namespace moesim
