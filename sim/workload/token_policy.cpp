#include "workload/token_policy.hpp"

#include <algorithm>

#include "workload/topk.hpp"

namespace moesim {

void TokenPolicy::route(const TokenBatch& batch, Routing& out) const {
    const std::size_t width = std::min(top_k_ + batch.spare, gate_->experts());
    out.clear(static_cast<std::size_t>(batch.tokens.size()), width);
    if (batch.want_gates) out.gates.resize(out.experts.size());
    std::vector<float> changed(gate_->experts());
    for_each_token(*gate_, batch, [&](std::size_t t, std::span<const float> logits) {
        std::copy(logits.begin(), logits.end(), changed.begin());
        Token token{batch.layer, {}};
        if (batch.previous != nullptr) token.previous = batch.previous->token(t);
        const std::size_t count = prepare(token, changed);
        const auto row = std::span(out.experts).subspan(t * width, width);
        select_topk(changed, row.first(std::min(width, count + batch.spare)));
        if (batch.want_gates) softmax_of_chosen(logits, row, std::span(out.gates).subspan(t * width, width));
    });
}

}  // namespace moesim
