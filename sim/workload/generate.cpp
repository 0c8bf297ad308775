#include "workload/generate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/split.hpp"
#include "config/trace/trace_options.hpp"
#include "workload/model_gate.hpp"

namespace moesim {

RoutingTrace generate(const WorkloadModel& model, std::size_t tokens, std::uint64_t seed) {
    if (static_cast<double>(tokens) * static_cast<double>(model.layers.size() * model.top_k) >
        static_cast<double>(max_trace_ids))
        throw InputError(fmt::format("{}: found {} tokens of {} layers and top-{}, expected at most {} choices in all",
                                     model.name, tokens, model.layers.size(), model.top_k, max_trace_ids));
    RoutingTrace trace;
    trace.origin = model.name;
    trace.tokens = tokens;
    trace.layers = model.layers.size();
    trace.top_k = model.top_k;
    trace.experts = model.experts;
    trace.choices.assign(tokens * trace.layers * trace.top_k, no_expert);
    const ModelGate gate(std::make_shared<const WorkloadModel>(model), seed);
    for (std::size_t s = 0; s < model.sources; ++s) {
        TokenBatch batch;
        batch.source = s;
        batch.tokens = part_of({0, static_cast<std::int64_t>(tokens)}, static_cast<std::int64_t>(model.sources),
                               static_cast<std::int64_t>(s));
        if (batch.tokens.size() == 0) continue;
        trace.source_begin.push_back(static_cast<std::size_t>(batch.tokens.begin));
        Routing now, before;
        for (std::size_t l = 0; l < trace.layers; ++l) {
            batch.layer = LayerId(l);
            batch.previous = l > 0 ? &before : nullptr;
            gate.draw(batch, trace.top_k, now);
            for (std::size_t t = 0; t < now.tokens(); ++t)
                std::copy_n(
                    now.token(t).begin(), trace.top_k,
                    trace.choices.begin() +
                        static_cast<std::ptrdiff_t>(
                            ((static_cast<std::size_t>(batch.tokens.begin) + t) * trace.layers + l) * trace.top_k));
            std::swap(now, before);
        }
    }
    return trace;
}

}  // namespace moesim
