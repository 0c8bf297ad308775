#include "planner/layer_time.hpp"

#include <algorithm>
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

    speed_ = Matrix<double>(layers(), positions(), 1);
    slow_down();
}

double mean_speed(const StragglerSpec& s, Seconds begin, Seconds end) {
    const double from = std::max(begin, s.from).value(), until = std::min(end, s.until.value_or(end)).value();
    const double all = (end - begin).value(), slow = std::max(0.0, until - from);
    if (all <= 0) return s.from <= begin && (!s.until || begin < *s.until) ? s.speed : 1;
    return 1 + slow / all * (s.speed - 1);
}

void LayerTimeModel::slow_down() {
    Seconds one_layer;
    const auto passes = [](const StragglerSpec& s) { return s.passes(); };
    Matrix<std::uint32_t> in_blocks(layers(), experts());
    for (std::size_t e = 0; e < experts() && layers() > 0; ++e)
        in_blocks(0, e) = static_cast<std::uint32_t>(e * positions() / experts());
    if (std::any_of(scenario_.stragglers.begin(), scenario_.stragglers.end(), passes) && layers() > 0)
        one_layer =
            static_cast<double>(micro_batches_) * other_ + time(Placement(in_blocks, positions()), LayerId(0)).total;
    for (std::size_t l = 0; l < layers(); ++l) {
        std::vector<double> of_rank;
        for (std::size_t r = 0; r < grid_.ranks(); ++r) of_rank.push_back(fabric_.speed(RankId(r)));
        const Seconds begin = static_cast<double>(l) * one_layer;
        for (const StragglerSpec& s : scenario_.stragglers)
            of_rank[s.rank.value()] *= mean_speed(s, begin, begin + one_layer);
        for (std::size_t r = 0; r < grid_.ranks(); ++r) {
            double& speed = speed_(l, grid_.data_of(RankId(r)) % positions());
            speed = r == 0 || speed > of_rank[r] ? of_rank[r] : speed;
        }
    }
}

std::vector<double> LayerTimeModel::speeds() const {
    std::vector<double> mean(positions(), layers() > 0 ? 0.0 : 1.0);
    for (std::size_t l = 0; l < layers(); ++l)
        for (std::size_t p = 0; p < positions(); ++p) mean[p] += speed_(l, p) / real(layers());
    return mean;
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

Seconds LayerTimeModel::expert_time(LayerId layer, std::size_t position, std::span<const std::int64_t> counts,
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
    return (cost_.expert(rows) + cost_.sum_up(computed, copies)) * (1 / speed_(layer.value(), position));
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
        longest = std::max(longest, expert_time(layer, q, x.assignments.row(rank), x.received_rows[rank]).value());
    }
    return together(link_time(longest_out), Seconds(longest), link_time(longest_back));
}

Seconds LayerTimeModel::mean_time(const Placement& placement) const {
    Seconds sum;
    for (std::size_t l = 0; l < layers(); ++l) sum += time(placement, LayerId(l)).total;
    return sum * (1 / real(std::max<std::size_t>(layers(), 1)));
}

}  // namespace moesim
