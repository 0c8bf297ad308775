#include "workload/noisy_gate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "workload/gumbel.hpp"
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

// The softmax of the k largest logits, without the logits: exp(-logit) are the arrival times of independent Poisson
// processes whose rates are the popularities, so the i-th chosen one arrives an exponential time of rate
// 1 - (popularity already chosen) after the one before it, and its weight is in proportion to 1 / (arrival time).
void arrival_weights(std::span<const double> popularity, std::span<const ExpertIndex> chosen, RandomStream stream,
                     std::span<float> weights) {
    double left = 1, time = 0, sum = 0;
    std::array<double, 64> inverse{};
    for (std::size_t i = 0; i < chosen.size() && chosen[i] != no_expert; ++i) {
        time += -std::log(1 - stream.uniform()) / std::max(left, 1e-12);
        left -= popularity[chosen[i]];
        inverse[i] = 1 / std::max(time, 1e-300);
        sum += inverse[i];
    }
    for (std::size_t i = 0; i < chosen.size(); ++i)
        weights[i] = chosen[i] == no_expert ? 0.0F : static_cast<float>(inverse[i] / sum);
}

void add_noise(const Noise& noise, RandomStream& stream, std::span<float> logits) {
    if (!noise.gaussian) {
        add_gumbel(stream, logits);
        return;
    }
    const auto deviation = static_cast<float>(*noise.gaussian);
    for (float& l : logits) l += deviation * static_cast<float>(stream.normal());
}

}  // namespace

NoisyGate::NoisyGate(Popularity popularity, Noise noise, std::uint64_t seed)
    : popularity_(std::move(popularity)), noise_(noise), seed_(seed) {
    for (std::size_t layer = 0; layer < popularity_.layers(); ++layer) {
        const auto p = popularity_.common(LayerId(layer));
        mixes_.push_back({{p.begin(), p.end()}, AliasTable(p)});
        std::vector<ExpertIndex>& order = ranked_.emplace_back(p.size());
        std::iota(order.begin(), order.end(), ExpertIndex{0});
        std::stable_sort(order.begin(), order.end(), [&](ExpertIndex a, ExpertIndex b) { return p[a] > p[b]; });
    }
}

// Calls use(mix, run) for each run of tokens (positions in the batch) that share one popularity.
template <class Use>
void NoisyGate::for_each_mix(const TokenBatch& batch, Range part, Use use) const {
    const Mix& common = mixes_[batch.layer.value()];
    if (!popularity_.has_sources() && !popularity_.has_bursts()) {
        use(common, part);
        return;
    }
    const std::vector<double> share = popularity_.of_source(batch.layer, batch.source);
    const Mix mix{share, AliasTable(share)};
    if (!popularity_.has_bursts()) {
        use(mix, part);
        return;
    }
    while (part.begin < part.end) {
        const std::int64_t token = batch.tokens.begin + part.begin, window = token / popularity_.window();
        const Range run{part.begin, std::min(part.end, (window + 1) * popularity_.window() - batch.tokens.begin)};
        const std::vector<double> burst = popularity_.in_window(share, batch.layer, batch.source, window);
        if (burst == share)
            use(mix, run);
        else
            use(Mix{burst, AliasTable(burst)}, run);
        part.begin = run.end;
    }
}

std::size_t NoisyGate::noise_layer(std::size_t layer, std::int64_t token) const {
    const std::uint64_t key = stream_key(seed_, purpose::affinity, static_cast<std::uint64_t>(token));
    while (layer > 0 && RandomStream(key, layer).uniform() < noise_.affinity) --layer;
    return layer;
}

void NoisyGate::logits(const TokenBatch& batch, Range part, std::span<float> out) const {
    const std::size_t layer = batch.layer.value(), count = experts();
    const std::uint64_t own_key = stream_key(seed_, purpose::routing, layer);
    const Range all = part;
    std::vector<float> base(count), noise(count);  // [expert], [place]
    for_each_mix(batch, part, [&](const Mix& mix, Range run) {
        for (std::size_t e = 0; e < count; ++e) base[e] = static_cast<float>(std::log(mix.share[e]));  // -inf for 0
        for (std::int64_t t = run.begin; t < run.end; ++t) {
            const std::int64_t token = batch.tokens.begin + t;
            const std::size_t from = noise_.affinity > 0 ? noise_layer(layer, token) : layer;
            RandomStream stream(from == layer ? own_key : stream_key(seed_, purpose::routing, from),
                                static_cast<std::uint64_t>(token));
            const auto row = out.subspan(static_cast<std::size_t>(t - all.begin) * count, count);
            if (noise_.affinity > 0) {
                std::fill(noise.begin(), noise.end(), 0.0F);
                add_noise(noise_, stream, noise);
                for (std::size_t place = 0; place < count; ++place) {
                    const std::size_t e = ranked_[layer][place];
                    row[e] = base[e] + noise[place];
                }
            } else {
                std::copy(base.begin(), base.end(), row.begin());
                add_noise(noise_, stream, row);
            }
        }
    });
}

void NoisyGate::draw_token(const Mix& mix, RandomStream& stream, std::span<ExpertIndex> chosen) const {
    constexpr int max_rejections = 32;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        std::uint32_t expert = mix.table.draw(stream);
        int rejections = 0;
        while (contains(chosen.first(i), expert) && ++rejections < max_rejections) expert = mix.table.draw(stream);
        chosen[i] = rejections < max_rejections ? static_cast<ExpertIndex>(expert)
                                                : draw_remaining(mix.share, chosen.first(i), stream);
    }
}

void NoisyGate::draw(const TokenBatch& batch, std::size_t count, Routing& out) const {
    // With many of the experts wanted, as for a full ranking, sorting logits is faster than drawing and rejecting.
    if (noise_.gaussian || noise_.affinity > 0 || count > 16 || 2 * count > experts()) {
        Gate::draw(batch, count, out);
        return;
    }
    out.width = count;
    out.experts.resize(static_cast<std::size_t>(batch.tokens.size()) * count);
    out.gates.resize(batch.want_gates ? out.experts.size() : 0);
    const std::uint64_t key = stream_key(seed_, purpose::routing, batch.layer.value());
    for_each_mix(batch, {0, batch.tokens.size()}, [&](const Mix& mix, Range run) {
        std::size_t at = static_cast<std::size_t>(run.begin) * count;
        for (std::int64_t t = run.begin; t < run.end; ++t, at += count) {
            RandomStream stream(key, static_cast<std::uint64_t>(batch.tokens.begin + t));
            const auto chosen = std::span(out.experts).subspan(at, count);
            draw_token(mix, stream, chosen);
            if (batch.want_gates) arrival_weights(mix.share, chosen, stream, std::span(out.gates).subspan(at, count));
        }
    });
}

}  // namespace moesim
