#include "study/routing_of.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/as_size.hpp"
#include "base/error.hpp"
#include "config/trace/trace_options.hpp"
#include "study/resolve.hpp"
#include "traffic/messages.hpp"
#include "workload/route_stream.hpp"

namespace moesim {

RoutingStatistics statistics_of(const Scenario& s, const std::string& origin, const StatisticsOptions& options,
                                bool gates, const LayerProgress& progress) {
    RoutingStatistics statistics(as_size(s.model.moe_layers), as_size(s.model.experts), options);
    RouteStream routes(s, resolve_policy(s, origin));
    Routing sent, before;
    for (std::size_t l = 0; l < statistics.layers(); ++l) {
        for (std::size_t m = 0; m < as_size(s.schedule.micro_batches); ++m)
            for (std::size_t d = 0; d < routes.sources(); ++d) {
                const bool linked = options.transitions && l > 0;
                if (linked) before = routes.chosen(m, d);
                const Limited limited = routes.next(LayerId(l), m, d, sent, gates);
                statistics.add({LayerId(l), sent, linked ? &before : nullptr, limited.chosen, limited.dropped});
            }
        if (progress) progress(static_cast<double>(l + 1) / static_cast<double>(statistics.layers()));
    }
    return statistics;
}

RoutingTrace record(const Scenario& s, const std::string& origin, const LayerProgress& progress) {
    RouteStream routes(s, resolve_policy(s, origin));
    RoutingTrace trace;
    trace.origin = origin;
    trace.tokens = as_size(s.batch.tokens());
    trace.layers = as_size(s.model.moe_layers);
    trace.experts = as_size(s.model.experts);
    trace.top_k = as_size(s.model.top_k);
    for (std::size_t d = 0; d < routes.sources(); ++d) {
        const auto begin = as_size(routes.tokens(0, d).begin - s.batch.first_token);
        // Sources without a token have no place in a trace.
        if (begin < trace.tokens && (trace.source_begin.empty() || begin > trace.source_begin.back()))
            trace.source_begin.push_back(begin);
    }
    const double ids = static_cast<double>(trace.tokens) * static_cast<double>(trace.layers * trace.top_k);
    if (ids > static_cast<double>(max_trace_ids))
        throw InputError(
            fmt::format("{}: $.batch: found {:.3g} choices (tokens x moe_layers x top_k), expected at most "
                        "{:.3g} to write down",
                        origin, ids, static_cast<double>(max_trace_ids)));
    trace.choices.assign(trace.tokens * trace.layers * trace.top_k, no_expert);
    for (std::size_t l = 0; l < trace.layers; ++l) {
        for (std::size_t m = 0; m < as_size(s.schedule.micro_batches); ++m) {
            const auto step = routes.next_of_all(LayerId(l), m);
            for (std::size_t d = 0; d < routes.sources(); ++d) {
                const Routing& sent = step.sent[d];
                const auto first = as_size(routes.tokens(m, d).begin - s.batch.first_token);
                for (std::size_t t = 0; t < sent.tokens(); ++t) {
                    const std::size_t row = ((first + t) * trace.layers + l) * trace.top_k;
                    if (sent.width <= trace.top_k) {  // a dropped choice leaves its place empty
                        std::copy_n(sent.token(t).begin(), sent.width,
                                    trace.choices.begin() + static_cast<std::ptrdiff_t>(row));
                        continue;
                    }
                    std::size_t place = 0;
                    for (const ExpertIndex e : sent.token(t)) {
                        if (e == no_expert) continue;
                        if (place == trace.top_k)
                            throw InputError(
                                fmt::format("{}: $.routing.policy: found a token with more than top_k ({}) "
                                            "experts, expected a policy that a trace can hold",
                                            origin, trace.top_k));
                        trace.choices[row + place++] = e;
                    }
                }
            }
        }
        if (progress) progress(static_cast<double>(l + 1) / static_cast<double>(trace.layers));
    }
    return trace;
}

Matrix<std::int64_t> dispatch_bytes(const Scenario& s, const std::string& origin, LayerId layer) {
    const Plan plan = resolve(s, origin);
    const RankGrid grid(s.parallelism);
    const Bytes row(s.model.hidden * bytes_of(s.dispatch.dtype));
    RouteStream routes(s, plan.policy);
    Matrix<std::int64_t> bytes(grid.ranks(), grid.ranks());
    for (std::size_t l = 0; l <= layer.value(); ++l)
        for (std::size_t m = 0; m < as_size(s.schedule.micro_batches); ++m) {
            const std::vector<Routing> sent = routes.next_of_all(LayerId(l), m).sent;
            if (l < layer.value()) continue;
            std::vector<SourceChoices> sources;
            for (std::size_t d = 0; d < grid.data(); ++d) sources.push_back({d, sent[d].experts, sent[d].width});
            const Exchange x = count_exchange(sources, layer, plan.scenario.dispatch.dedup, plan.placement, grid,
                                              plan.fabric, s.placement.replicas);
            for (const Message& message : dispatch_messages(x, row))
                bytes(message.from.value(), message.to.value()) += message.bytes.value();
            for (std::size_t r = 0; r < grid.ranks(); ++r) bytes(r, r) += x.local_rows[r] * row.value();
        }
    return bytes;
}

}  // namespace moesim
