#include "workload/trace_policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace moesim {

TracePolicy::TracePolicy(std::shared_ptr<const RoutingTrace> trace, const ModelSpec& model) : trace_(std::move(trace)) {
    const RoutingTrace& t = *trace_;
    const auto experts = static_cast<std::size_t>(model.experts), layers = static_cast<std::size_t>(model.moe_layers);
    if (t.top_k != static_cast<std::size_t>(model.top_k) || t.experts > experts || t.layers < layers || t.tokens == 0)
        throw InputError(
            fmt::format("{}: found {} tokens, {} layers, top-{} of {} experts, expected at least 1 token, "
                        "{} layers, top-{} of {} experts, the scenario's model",
                        t.origin, t.tokens, t.layers, t.top_k, t.experts, layers, model.top_k, experts));
}

void TracePolicy::route(const TokenBatch& batch, Routing& out) const {
    out.clear(static_cast<std::size_t>(batch.tokens.size()), trace_->top_k);
    auto to = out.experts.begin();
    for (std::int64_t t = batch.tokens.begin; t < batch.tokens.end; ++t) {
        const auto from = trace_->at(static_cast<std::size_t>(t) % trace_->tokens, batch.layer.value());
        to = std::copy(from.begin(), from.end(), to);
    }
    if (batch.want_gates) equal_gates(out);
}

}  // namespace moesim
