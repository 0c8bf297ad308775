#include "workload/softmax_topk_policy.hpp"

#include <algorithm>
#include <cmath>

#include "workload/purpose.hpp"
#include "workload/topk.hpp"

namespace moesim {
namespace {

bool contains(std::span<const ExpertIndex> chosen, std::uint32_t expert) {
    return std::find(chosen.begin(), chosen.end(), expert) != chosen.end();
}

// One draw in proportion to the popularity of what is not chosen yet, by adding up. It serves where rejection takes
// too long, which is where few experts hold nearly all of the popularity.
ExpertIndex draw_remaining(std::span<const double> popularity, std::span<const ExpertIndex> chosen,
                           RandomStream& stream) {
    double left = 0;
    for (std::uint32_t e = 0; e < popularity.size(); ++e)
        if (!contains(chosen, e)) left += popularity[e];
    double target = stream.uniform() * left;
    ExpertIndex last = no_expert;
    for (std::uint32_t e = 0; e < popularity.size(); ++e) {
        if (popularity[e] <= 0 || contains(chosen, e)) continue;
        last = static_cast<ExpertIndex>(e);
        target -= popularity[e];
        if (target < 0) break;
    }
    return last;
}

}  // namespace

SoftmaxTopkPolicy::SoftmaxTopkPolicy(const Matrix<double>& popularity, std::size_t top_k, std::uint64_t seed)
    : popularity_(popularity), top_k_(top_k), seed_(seed) {
    tables_.reserve(popularity.rows());
    for (std::size_t layer = 0; layer < popularity.rows(); ++layer) tables_.emplace_back(popularity.row(layer));
}

void SoftmaxTopkPolicy::route(LayerId layer, Range tokens, std::span<ExpertIndex> out) const {
    constexpr int max_rejections = 32;
    const AliasTable& table = tables_[layer.value()];
    const std::uint64_t key = stream_key(seed_, purpose::routing, layer.value());
    std::size_t at = 0;
    for (std::int64_t token = tokens.begin; token < tokens.end; ++token) {
        RandomStream stream(key, static_cast<std::uint64_t>(token));
        const std::size_t first = at;
        for (std::size_t i = 0; i < top_k_; ++i, ++at) {
            const auto chosen = std::span<const ExpertIndex>(out).subspan(first, i);
            std::uint32_t expert = table.draw(stream);
            int rejections = 0;
            while (contains(chosen, expert) && ++rejections < max_rejections) expert = table.draw(stream);
            out[at] = rejections < max_rejections ? static_cast<ExpertIndex>(expert)
                                                  : draw_remaining(popularity_.row(layer.value()), chosen, stream);
        }
    }
}

GaussianTopkPolicy::GaussianTopkPolicy(Matrix<double> popularity, std::size_t top_k, double noise, std::uint64_t seed)
    : log_popularity_(std::move(popularity)), top_k_(top_k), noise_(noise), seed_(seed) {
    for (std::size_t l = 0; l < log_popularity_.rows(); ++l)
        for (std::size_t e = 0; e < log_popularity_.cols(); ++e)
            log_popularity_(l, e) = std::log(log_popularity_(l, e));  // -inf for popularity 0: never chosen
}

void GaussianTopkPolicy::route(LayerId layer, Range tokens, std::span<ExpertIndex> out) const {
    const auto base = log_popularity_.row(layer.value());
    const std::uint64_t key = stream_key(seed_, purpose::routing, layer.value());
    std::vector<double> logits(base.size());
    std::size_t at = 0;
    for (std::int64_t token = tokens.begin; token < tokens.end; ++token, at += top_k_) {
        RandomStream stream(key, static_cast<std::uint64_t>(token));
        for (std::size_t e = 0; e < logits.size(); ++e) logits[e] = base[e] + noise_ * stream.normal();
        select_topk(logits, out.subspan(at, top_k_));
    }
}

}  // namespace moesim
