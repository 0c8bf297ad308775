#include "planner/layer_time.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "base/split.hpp"
#include "traffic/exchange.hpp"

namespace moesim {
namespace {

ParallelismSpec one_group(const ParallelismSpec& p) {
    ParallelismSpec one = p;
    one.data = p.expert;
    return one;
}

double real(std::size_t v) { return static_cast<double>(v); }

}  // namespace

LayerTimeModel::LayerTimeModel(const WorkloadCounts& workload, const Scenario& scenario, const Fabric& fabric,
                               std::size_t most_tokens)
    : workload_(workload), scenario_(scenario), fabric_(fabric), grid_(scenario.parallelism),
      group_(one_group(scenario.parallelism)), messages_(fabric, scenario.profile),
      flows_(grid_, fabric, messages_, scenario.dispatch.dedup), cost_(scenario) {
    if (!workload.trace || workload.trace->tokens == 0)
        throw InputError("layer times: found a workload without tokens, expected a routing of each token");
    tokens_ = std::min(workload.trace->tokens, std::max<std::size_t>(most_tokens, 1));
    const ScheduleSpec& schedule = scenario.schedule;
    chunks_ = schedule.chunks;
    micro_batches_ = schedule.micro_batches;
    interleaved_ = schedule.order == Order::interleaved && micro_batches_ > 1;
    const std::int64_t own = scenario.batch.tokens() / (scenario.parallelism.data * micro_batches_);
    other_ =
        cost_.attention(own) + cost_.gate(own) + cost_.select(own) + cost_.shared_experts(own) + cost_.residual(own);
    scale_ = static_cast<double>(scenario.batch.tokens()) / real(grid_.groups()) /
             static_cast<double>(schedule.chunks * schedule.micro_batches) / real(tokens_);
    const auto hidden = static_cast<double>(scenario.model.hidden);
    dispatch_row_ = hidden * bytes_of(scenario.dispatch.dtype);
    return_row_ = hidden * bytes_of(scenario.dispatch.return_dtype);

    std::vector<double> of_rank;
    for (std::size_t r = 0; r < grid_.ranks(); ++r) of_rank.push_back(fabric.speed(RankId(r)));
    for (const StragglerSpec& s : scenario.stragglers)
        if (s.from == Seconds{} && !s.until) of_rank[s.rank.value()] *= s.speed;
    speed_.assign(positions(), 1);
    for (std::size_t r = 0; r < grid_.ranks(); ++r) {
        double& speed = speed_[grid_.data_of(RankId(r)) % positions()];
        speed = std::min(speed, of_rank[r]);
    }
}

std::size_t LayerTimeModel::source_begin(std::size_t source) const {
    if (source == positions()) return tokens_;
    return static_cast<std::size_t>(part_of({0, static_cast<std::int64_t>(tokens_)},
                                            static_cast<std::int64_t>(positions()), static_cast<std::int64_t>(source))
                                        .begin);
}

std::span<const ExpertIndex> LayerTimeModel::choices(std::size_t token, LayerId layer) const {
    return workload_.trace->at(token * workload_.trace->tokens / tokens_, layer.value());
}

LayerTime LayerTimeModel::together(Seconds dispatch, Seconds expert, Seconds back) const {
    const Seconds slowest = std::max({dispatch, expert, back});
    const Seconds once = dispatch + expert + back + static_cast<double>(chunks_ - 1) * slowest;
    const auto n = static_cast<double>(micro_batches_), chunks = static_cast<double>(chunks_);
    if (!interleaved_) return {dispatch, expert, back, n * once};
    const Seconds compute = other_ + chunks * expert, network = chunks * (dispatch + back);
    return {dispatch, expert, back, std::max({n * compute, n * network, other_ + once})};
}

Seconds LayerTimeModel::expert_time(std::size_t position, std::span<const std::int64_t> counts,
                                    std::int64_t received) const {
    thread_local std::vector<std::int64_t> rows;
    rows.clear();
    std::int64_t computed = 0;
    for (const std::int64_t count : counts) {
        if (count == 0) continue;
        // An expert that is used at all has its weights read.
        rows.push_back(std::max<std::int64_t>(1, std::llround(static_cast<double>(count) * scale_)));
        computed += rows.back();
    }
    const std::int64_t copies = std::llround(static_cast<double>(received) * scale_);
    return (cost_.expert(rows) + cost_.sum_up(computed, copies)) * (1 / speed_[position]);
}

LayerTime LayerTimeModel::time(const Placement& placement, LayerId layer) const {
    std::vector<ExpertIndex> chosen;
    for (std::size_t t = 0; t < tokens_; ++t) {
        const auto token = choices(t, layer);
        chosen.insert(chosen.end(), token.begin(), token.end());
    }
    std::vector<SourceChoices> sources;
    for (std::size_t s = 0; s < positions(); ++s) {
        const std::size_t begin = source_begin(s) * width(), end = source_begin(s + 1) * width();
        sources.push_back({s, std::span<const ExpertIndex>(chosen).subspan(begin, end - begin), width()});
    }
    CopyChooser chooser(placement, layer, replicas(), group_, fabric_);
    const Exchange x = count_exchange(sources, chooser, dedup(), group_, fabric_);

    std::vector<double> out(fabric_.links().size()), back(out.size());
    for (const Hop& hop : x.hops)
        for (std::size_t g = 0; g < grid_.groups(); ++g) {
            const std::size_t shift = g * group_.ranks();
            const RankId from(hop.from.value() + shift), to(hop.to.value() + shift);
            const Route there = fabric_.route(from, to), here = fabric_.route(to, from);
            for (const LinkId l : there.links()) out[l.value()] += static_cast<double>(hop.rows);
            for (const LinkId l : here.links()) back[l.value()] += static_cast<double>(hop.rows);
        }
    double longest_out = 0, longest_back = 0, longest = 0;
    for (std::size_t l = 0; l < out.size(); ++l) {
        const double byte = 1 / messages_.capacity(LinkId(l)).value();
        longest_out = std::max(longest_out, out[l] * (byte * dispatch_bytes()));
        longest_back = std::max(longest_back, back[l] * (byte * return_bytes()));
    }
    for (std::size_t q = 0; q < positions(); ++q) {
        const std::size_t rank = group_.rank(q, 0).value();
        longest = std::max(longest, expert_time(q, x.assignments.row(rank), x.received_rows[rank]).value());
    }
    return together(link_time(longest_out), Seconds(longest), link_time(longest_back));
}

Seconds LayerTimeModel::mean_time(const Placement& placement) const {
    Seconds sum;
    for (std::size_t l = 0; l < layers(); ++l) sum += time(placement, LayerId(l)).total;
    return sum * (1 / real(std::max<std::size_t>(layers(), 1)));
}

Seconds LayerTimeModel::bound(LayerId layer, std::size_t slots) const {
    std::vector<std::int64_t> count(experts());
    for (std::size_t t = 0; t < tokens_; ++t)
        for (const ExpertIndex e : choices(t, layer))
            if (e != no_expert) ++count[e];
    double rows = 0;
    std::size_t used = 0;
    std::int64_t heaviest = 0;
    for (const std::int64_t c : count) {
        rows += static_cast<double>(c) * scale_;
        used += c > 0 ? 1 : 0;
        heaviest = std::max(heaviest, c);
    }
    if (used == 0) return {};
    if (!cost_.grows_with_experts()) return together({}, {}, {}).total;
    const std::size_t kinds = std::min(slots, experts());
    // The rows of each expert of a position may have been rounded down by a half.
    const double mean = rows / real(positions()) - 0.5 * real(kinds);
    const std::array<std::int64_t, 1> even = {std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(mean)))};
    const std::vector<std::int64_t> each((used + positions() - 1) / positions(), 1);
    Seconds least = std::max(cost_.expert(even), cost_.expert(each));
    if (slots * positions() <= experts()) {
        const std::array<std::int64_t, 1> one = {
            std::max<std::int64_t>(1, std::llround(static_cast<double>(heaviest) * scale_))};
        least = std::max(least, cost_.expert(one));
    }
    const double fastest = *std::max_element(speed_.begin(), speed_.end());
    return together({}, least * (1 / fastest), {}).total;
}

}  // namespace moesim
