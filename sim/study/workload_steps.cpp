#include "study/workload_steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/as_size.hpp"
#include "base/error.hpp"
#include "config/trace/read_trace.hpp"
#include "study/routing_of.hpp"

namespace moesim {
namespace {

constexpr std::int64_t last_step = 1'000'000;  // that a scenario may have

// The batch, with so many of its sequences that they have no more than `most` tokens.
Scenario at_most(Scenario s, std::int64_t most) {
    if (s.batch.tokens() > most) s.batch.sequences = std::max<std::int64_t>(1, most / s.batch.tokens_per_sequence);
    return s;
}

// [source of the trace]: its choices.
std::span<const ExpertIndex> choices_of(const RoutingTrace& trace, std::size_t source) {
    const std::size_t token = trace.layers * trace.top_k, sources = trace.source_begin.size();
    const std::size_t begin = trace.source_begin[source];
    const std::size_t end = source + 1 < sources ? trace.source_begin[source + 1] : trace.tokens;
    return std::span(trace.choices).subspan(begin * token, (end - begin) * token);
}

}  // namespace

Scenario at_step(const Scenario& scenario, std::int64_t step) {
    Scenario s = scenario;
    s.batch.first_token += step * s.batch.tokens();
    s.routing.step += step;
    return s;
}

RoutingTrace seen_tokens(const Scenario& scenario, const std::string& origin, Range steps, std::int64_t most) {
    std::vector<RoutingTrace> of_step;
    std::size_t sources = 0;
    for (std::int64_t t = steps.begin; t < steps.end; ++t) {
        of_step.push_back(record(at_most(at_step(scenario, t), most), origin, {}));
        sources = std::max(sources, of_step.back().source_begin.size());
    }
    if (of_step.empty()) throw InternalError("nothing is learned from no steps");
    RoutingTrace all;
    all.origin = origin;
    all.layers = of_step[0].layers;
    all.experts = of_step[0].experts;
    all.top_k = of_step[0].top_k;
    for (std::size_t source = 0; source < sources; ++source) {
        all.source_begin.push_back(all.choices.size() / (all.layers * all.top_k));
        for (const RoutingTrace& trace : of_step)
            if (source < trace.source_begin.size()) {
                const auto choices = choices_of(trace, source);
                all.choices.insert(all.choices.end(), choices.begin(), choices.end());
            }
    }
    all.tokens = all.choices.size() / (all.layers * all.top_k);
    return all;
}

void check_steps(const Scenario& s, const std::string& origin, std::int64_t steps) {
    if (s.routing.step + steps > last_step)
        throw InputError(fmt::format("{}: $.routing.step: found {}, expected {} steps after it to end by step {}",
                                     origin, s.routing.step, steps, last_step));
    if (s.routing.policy != Policy::trace) return;
    const RoutingTrace trace = read_token_trace(s.routing.trace);
    const std::int64_t needed = s.batch.first_token + steps * s.batch.tokens();
    if (trace.tokens < as_size(needed))
        throw InputError(
            fmt::format("{}: found {} tokens, expected at least {}: {} steps of {} tokens from token {} on, "
                        "since none is to be seen before it is judged",
                        s.routing.trace, trace.tokens, needed, steps, s.batch.tokens(), s.batch.first_token));
}

}  // namespace moesim
