#include "workload/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.hpp"
#include "workload/measures.hpp"

namespace moesim {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

void check_experts(const Routing& routing, std::size_t experts) {
    for (const ExpertIndex e : routing.experts)
        if (e != no_expert && e >= experts)
            throw InternalError(fmt::format("statistics of {} experts were fed expert {}", experts, e));
}

void check(const RoutedBatch& batch, std::size_t layers, std::size_t experts) {
    if (batch.layer.value() >= layers)
        throw InternalError(fmt::format("statistics of {} layers were fed layer {}", layers, batch.layer.value()));
    check_experts(batch.chosen, experts);
    if (!batch.chosen.gates.empty() && batch.chosen.gates.size() != batch.chosen.experts.size())
        throw InternalError("statistics were fed gates for some places only");
    if (batch.previous == nullptr) return;
    check_experts(*batch.previous, experts);
    if (batch.previous->tokens() != batch.chosen.tokens())
        throw InternalError(fmt::format("statistics were fed {} tokens after {} in the layer before",
                                        batch.chosen.tokens(), batch.previous->tokens()));
}

}  // namespace

LoadStatistics load_statistics(std::span<const double> load) {
    LoadStatistics s;
    s.balance = load_balance(load);
    s.entropy_nats = entropy(load);
    if (load.size() > 1)
        s.entropy_share = std::min(1.0, s.entropy_nats / std::log(static_cast<double>(load.size())));
    else
        s.entropy_share = s.balance.max_over_mean;  // 1 or, without load, 0
    s.top_tenth_share = top_tenth_share(load);
    s.gini = gini(load);
    return s;
}

std::vector<LoadStatistics> load_statistics_of(const LoadTable& recorded) {
    std::vector<LoadStatistics> layers;
    for (std::size_t l = 0; l < recorded.load.rows(); ++l) layers.push_back(load_statistics(recorded.load.row(l)));
    return layers;
}

RoutingStatistics::RoutingStatistics(std::size_t layers, std::size_t experts, StatisticsOptions options)
    : experts_(experts), options_(options), counts_(layers) {
    for (Counts& c : counts_) {
        c.load.resize(experts);
        c.last_group.resize(experts);
    }
}

void RoutingStatistics::add(const RoutedBatch& batch) {
    check(batch, layers(), experts_);
    Counts& c = counts_[batch.layer.value()];
    const Routing& chosen = batch.chosen;
    const std::size_t tokens = chosen.tokens();
    c.tokens += static_cast<std::int64_t>(tokens);
    c.asked += batch.asked;
    c.dropped += batch.dropped;
    for (std::size_t t = 0; t < tokens; ++t) add_token(c, chosen.token(t));
    if (options_.group_tokens == 0 && tokens > 0) close_group(c);

    std::vector<double> gates(chosen.width);
    for (std::size_t t = 0; t < tokens && !chosen.gates.empty(); ++t) {
        double sum = 0;
        for (std::size_t i = 0; i < chosen.width; ++i) {
            const std::size_t at = t * chosen.width + i;
            gates[i] = chosen.experts[at] == no_expert ? 0 : std::max(0.0, static_cast<double>(chosen.gates[at]));
            sum += gates[i];
        }
        if (sum <= 0) continue;
        c.gate_entropy += entropy(gates);
        ++c.gated_tokens;
    }
    if (batch.previous != nullptr && batch.layer.value() > 0) add_transitions(c, *batch.previous, chosen);
}

void RoutingStatistics::add_token(Counts& c, std::span<const ExpertIndex> chosen) const {
    const std::int64_t group = c.groups + 1;
    bool any = false;
    for (const ExpertIndex e : chosen) {
        if (e == no_expert) continue;
        any = true;
        ++c.load[e];
        if (std::exchange(c.last_group[e], group) != group) ++c.open_unique;
    }
    if (!any) ++c.without_expert;
    if (++c.open_tokens == options_.group_tokens) close_group(c);
}

void RoutingStatistics::close_group(Counts& c) {
    ++c.groups;
    c.unique_in_groups += std::exchange(c.open_unique, 0);
    c.open_tokens = 0;
}

void RoutingStatistics::add_transitions(Counts& c, const Routing& previous, const Routing& chosen) const {
    const auto counted = [&](Matrix<std::int64_t>& counts, bool wanted) {
        if (wanted && counts.rows() == 0) counts = Matrix<std::int64_t>(experts_, experts_);
    };
    counted(c.first_choice, options_.transitions);
    counted(c.pairs, options_.pair_transitions);
    for (std::size_t t = 0; t < chosen.tokens(); ++t) {
        const auto from = previous.token(t), into = chosen.token(t);
        if (options_.transitions && from[0] != no_expert && into[0] != no_expert) ++c.first_choice(from[0], into[0]);
        if (!options_.pair_transitions) continue;
        for (const ExpertIndex a : from)
            for (const ExpertIndex b : into)
                if (a != no_expert && b != no_expert) ++c.pairs(a, b);
    }
}

LayerStatistics RoutingStatistics::layer(LayerId layer) const {
    const Counts& c = counts_.at(layer.value());
    LayerStatistics s;
    s.tokens = c.tokens;
    s.choices_asked = c.asked;
    s.choices_dropped = c.dropped;
    s.load = c.load;
    s.balance = load_statistics(std::vector<double>(c.load.begin(), c.load.end()));
    s.drop_rate = ratio(c.dropped, c.asked);
    std::int64_t assigned = 0;
    for (const std::int64_t l : c.load) assigned += l;
    s.experts_per_token = ratio(assigned, c.tokens);
    s.without_expert_share = ratio(c.without_expert, c.tokens);
    if (c.gated_tokens > 0) s.gate_entropy_nats = c.gate_entropy / static_cast<double>(c.gated_tokens);
    if (c.groups > 0) s.unique_experts_per_group = ratio(c.unique_in_groups, c.groups);
    return s;
}

std::optional<TransitionStatistics> RoutingStatistics::transition(LayerId into) const {
    const Matrix<std::int64_t>& joint = first_choice_counts(into);
    if (joint.rows() == 0) return std::nullopt;
    const Marginals counts(joint);
    TransitionStatistics s;
    s.tokens = counts.total;
    s.previous_entropy_nats = entropy(counts.rows);
    s.entropy_nats = entropy(counts.cols);
    s.mutual_information_nats = mutual_information(joint);
    s.mutual_information_of_chance_nats = information_of_chance(joint);
    return s;
}

const Matrix<std::int64_t>& RoutingStatistics::first_choice_counts(LayerId into) const {
    return counts_.at(into.value()).first_choice;
}

const Matrix<std::int64_t>& RoutingStatistics::pair_counts(LayerId into) const {
    return counts_.at(into.value()).pairs;
}

RoutingStatistics statistics_of(const RoutingTrace& trace, StatisticsOptions options) {
    RoutingStatistics statistics(trace.layers, trace.experts, options);
    Routing previous, chosen;
    for (std::size_t s = 0; s < trace.source_begin.size(); ++s) {
        const std::size_t begin = trace.source_begin[s];
        const std::size_t end = s + 1 < trace.source_begin.size() ? trace.source_begin[s + 1] : trace.tokens;
        for (std::size_t l = 0; l < trace.layers; ++l) {
            chosen.clear(end - begin, trace.top_k);
            for (std::size_t t = begin; t < end; ++t)
                std::ranges::copy(trace.at(t, l),
                                  chosen.experts.begin() + static_cast<std::ptrdiff_t>((t - begin) * trace.top_k));
            const auto made = std::ranges::count_if(chosen.experts, [](ExpertIndex e) { return e != no_expert; });
            statistics.add({LayerId(l), chosen, l > 0 ? &previous : nullptr, made, 0});
            std::swap(previous, chosen);
        }
    }
    return statistics;
}

}  // namespace moesim
