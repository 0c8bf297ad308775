#include "workload/model_gate.hpp"

#include <algorithm>
#include <limits>

#include "base/float_math.hpp"
#include "base/random.hpp"
#include "workload/gumbel.hpp"
#include "workload/purpose.hpp"
#include "workload/softmax.hpp"

namespace moesim {
namespace {

void add(std::span<float> to, std::span<const float> what, float times = 1) {
    for (std::size_t e = 0; e < to.size(); ++e) to[e] += times * what[e];
}

// Logits -> logarithms of probabilities, as the logits of a popularity are.
void normalise(std::span<float> logits, std::vector<float>& scratch) {
    scratch.assign(logits.begin(), logits.end());
    const float top = largest(logits), shift = top + float_log(static_cast<float>(exp_below_largest(scratch)));
    for (float& l : logits) l -= shift;
}

}  // namespace

void first_logits(const WorkloadModel& model, const WorkloadModel::Layer& layer, std::size_t source,
                  std::span<const ExpertIndex> previous, std::span<float> out) {
    const auto weight = layer.first_weight.row(source % model.sources);
    std::copy(weight.begin(), weight.end(), out.begin());
    if (!previous.empty() && previous[0] != no_expert && layer.first_given_previous.rows() > 0)
        add(out, layer.first_given_previous.row(previous[0]));
}

void rest_logits(const WorkloadModel& model, const WorkloadModel::Layer& layer, std::size_t source, ExpertIndex first,
                 std::span<const ExpertIndex> previous, std::span<float> out) {
    const auto weight = layer.rest_weight.row(source % model.sources);
    std::copy(weight.begin(), weight.end(), out.begin());
    add(out, layer.rest_given_first.row(first));
    if (layer.rest_given_previous.rows() == 0) return;
    for (const ExpertIndex p : previous)
        if (p != no_expert) add(out, layer.rest_given_previous.row(p), static_cast<float>(model.previous_weight));
}

void ModelGate::logits(const TokenBatch& batch, Range part, std::span<float> out) const {
    const WorkloadModel::Layer& layer = model_->layers[batch.layer.value()];
    const std::uint64_t key = stream_key(seed_, purpose::routing, batch.layer.value());
    std::vector<float> scratch;
    std::size_t at = 0;
    for (std::int64_t t = part.begin; t < part.end; ++t, at += experts()) {
        RandomStream stream(key, static_cast<std::uint64_t>(batch.tokens.begin + t));
        const auto row = out.subspan(at, experts());
        const auto previous = batch.previous == nullptr ? std::span<const ExpertIndex>()
                                                        : batch.previous->token(static_cast<std::size_t>(t));
        first_logits(*model_, layer, batch.source, previous, row);
        normalise(row, scratch);
        add_gumbel(stream, row);
        if (model_->top_k == 1) continue;
        const auto first = static_cast<ExpertIndex>(std::max_element(row.begin(), row.end()) - row.begin());
        rest_logits(*model_, layer, batch.source, first, previous, row);
        normalise(row, scratch);
        add_gumbel(stream, row);
        // The first choice stays first: it leads the others by a margin that is as random as that between them.
        row[first] = -std::numeric_limits<float>::infinity();
        row[first] = *std::max_element(row.begin(), row.end()) + std::max(exponential(stream), 1e-5F);
    }
}

}  // namespace moesim
