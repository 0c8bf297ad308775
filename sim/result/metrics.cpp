#include "result/metrics.hpp"

#include <algorithm>
#include <numeric>

namespace moesim {
namespace {

std::size_t index(Stage s) { return static_cast<std::size_t>(s); }

void add_stage_times(const Result& result, Metrics& m, std::vector<Seconds>& busy) {
    const auto& tasks = result.graph.tasks();
    for (TaskId id = 0; id < tasks.size(); ++id) {
        if (tasks[id].kind != TaskKind::compute) continue;
        const Seconds took = result.times[id].finish - result.times[id].start;
        const Label& label = tasks[id].label;
        m.stages[index(label.stage)].per_rank[label.rank.value()] += took;
        busy[label.rank.value()] += took;
    }
    for (const CollectiveSpan& span : result.graph.spans())
        m.stages[index(span.label.stage)].per_rank[span.label.rank.value()] +=
            result.times[span.done].finish - result.times[span.issue].finish;
}

// The lowest rank among those that share the largest value: differences in the last digits are rounding.
void summarize(StageMetrics& stage) {
    const Seconds largest = *std::max_element(stage.per_rank.begin(), stage.per_rank.end());
    const auto slowest = std::find_if(stage.per_rank.begin(), stage.per_rank.end(),
                                      [&](Seconds s) { return s >= largest * (1 - 1e-9); });
    stage.slowest = *slowest;
    stage.slowest_rank = RankId(static_cast<std::size_t>(slowest - stage.per_rank.begin()));
    const Seconds sum = std::accumulate(stage.per_rank.begin(), stage.per_rank.end(), Seconds{});
    stage.mean = sum * (1.0 / static_cast<double>(stage.per_rank.size()));
}

// Follows what each task waited for, from the last end back to the start; what a task adds to the chain is the time
// since its cause ended, so that the parts sum up to the makespan.
void add_critical_path(const Result& result, Metrics& m) {
    TaskId at = 0;
    for (TaskId id = 0; id < result.times.size(); ++id)
        if (result.times[id].finish > result.times[at].finish) at = id;
    m.makespan = result.times[at].finish;
    while (at != TaskTime::no_cause) {
        const TaskTime& t = result.times[at];
        const Seconds since = t.cause == TaskTime::no_cause ? Seconds{} : result.times[t.cause].finish;
        m.stages[index(result.graph.tasks()[at].label.stage)].critical_path += t.finish - since;
        at = t.cause;
    }
}

void add_loads(const Result& result, Metrics& m) {
    std::int64_t chosen = 0, dropped = 0;
    for (const LayerLoad& layer : result.layers) {
        const LayerMetrics l{load_balance(layer.expert_tokens), load_balance(layer.rank_tokens),
                             static_cast<double>(layer.dropped) / static_cast<double>(layer.chosen)};
        m.layers.push_back(l);
        for (const auto& [sum, part] : {std::pair{&m.load.experts, &l.experts}, {&m.load.ranks, &l.ranks}}) {
            sum->cv += part->cv / static_cast<double>(result.layers.size());
            sum->max_over_mean = std::max(sum->max_over_mean, part->max_over_mean);
        }
        chosen += layer.chosen;
        dropped += layer.dropped;
    }
    m.load.drop_rate = static_cast<double>(dropped) / static_cast<double>(chosen);
}

void add_links(const Result& result, Metrics& m) {
    for (std::size_t l = 0; l < result.link_bytes.size(); ++l) {
        const Bytes bytes = result.link_bytes[l];
        if (bytes == Bytes{}) continue;
        m.links.push_back({LinkId(l), bytes, (bytes / result.link_capacity[l]) / m.makespan});
    }
    std::stable_sort(m.links.begin(), m.links.end(),
                     [](const LinkUse& a, const LinkUse& b) { return a.share > b.share; });
}

}  // namespace

Metrics measure(const Result& result) {
    const std::size_t ranks = result.plan.fabric.ranks();
    Metrics m;
    for (StageMetrics& s : m.stages) s.per_rank.resize(ranks);
    std::vector<Seconds> busy(ranks);
    add_stage_times(result, m, busy);
    for (StageMetrics& s : m.stages) summarize(s);
    add_critical_path(result, m);
    m.tokens = result.plan.scenario.batch.tokens();
    m.tokens_per_s = static_cast<double>(m.tokens) / m.makespan.value();
    for (const Seconds b : busy) m.idle.push_back(m.makespan - b);
    m.longest_idle = *std::max_element(m.idle.begin(), m.idle.end());
    m.mean_idle = std::accumulate(m.idle.begin(), m.idle.end(), Seconds{}) * (1.0 / static_cast<double>(ranks));
    add_loads(result, m);
    add_links(result, m);
    const auto fullest = std::max_element(result.memory.begin(), result.memory.end(),
                                          [](const auto& a, const auto& b) { return a.total() < b.total(); });
    m.fullest_rank = RankId(static_cast<std::size_t>(fullest - result.memory.begin()));
    return m;
}

}  // namespace moesim
