#include "workload/route_stream.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>

#include "workload/source_tokens.hpp"

namespace moesim {

namespace {

// The next layer looks at what was chosen, not at the rest of a ranking.
void keep_choices(const Routing& ranked, std::size_t top_k, Routing& chosen) {
    if (ranked.width <= top_k) {
        chosen = ranked;
        return;
    }
    chosen.clear(ranked.tokens(), top_k);
    for (std::size_t t = 0; t < ranked.tokens(); ++t)
        std::copy_n(ranked.token(t).begin(), top_k, chosen.experts.begin() + static_cast<std::ptrdiff_t>(t * top_k));
}

}  // namespace

RouteStream::RouteStream(const Scenario& s, std::shared_ptr<const RoutingPolicy> policy)
    : spec_(s.routing), model_(s.model), micro_batches_(s.schedule.micro_batches), policy_(std::move(policy)),
      source_tokens_(source_tokens(s)), chosen_(source_tokens_.size() * static_cast<std::size_t>(micro_batches_)) {}

Range RouteStream::tokens(std::size_t micro_batch, std::size_t source) const {
    return part_of(source_tokens_[source], micro_batches_, static_cast<std::int64_t>(micro_batch));
}

Limited RouteStream::next(LayerId layer, std::size_t micro_batch, std::size_t source, Routing& sent, bool want_gates) {
    // An expert that chooses its tokens takes no more than its capacity.
    const bool limits = spec_.capacity_factor && spec_.policy != Policy::expert_choice;
    Routing& chosen = chosen_[micro_batch * sources() + source];
    TokenBatch batch;
    batch.layer = layer;
    batch.source = source;
    batch.tokens = tokens(micro_batch, source);
    batch.previous = layer.value() > 0 ? &chosen : nullptr;
    batch.want_gates = want_gates;
    const auto experts = static_cast<std::size_t>(model_.experts), top_k = static_cast<std::size_t>(model_.top_k);
    if (limits && spec_.overflow == Overflow::next_choice) batch.spare = experts - top_k;
    policy_->route(batch, sent);
    keep_choices(sent, batch.spare > 0 ? top_k : sent.width, chosen);
    // Each source rank keeps to its own share of an expert's capacity, so that no rank has to ask another.
    const std::int64_t capacity =
        limits ? expert_capacity(*spec_.capacity_factor, batch.tokens.size(), model_.top_k, model_.experts)
               : batch.tokens.size();
    return limit_load(sent, top_k, capacity, experts, spec_.overflow);
}

RouteStream::Step RouteStream::next_of_all(LayerId layer, std::size_t micro_batch) {
    Step step;
    step.sent.resize(sources());
    std::vector<Limited> limited(sources());
    tbb::parallel_for(std::size_t{0}, sources(),
                      [&](std::size_t d) { limited[d] = next(layer, micro_batch, d, step.sent[d]); });
    for (const Limited& l : limited) {
        step.limited.chosen += l.chosen;
        step.limited.dropped += l.dropped;
    }
    return step;
}

}  // namespace moesim
