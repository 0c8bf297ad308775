#include "workload/fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "workload/gumbel.hpp"
#include "workload/model_gate.hpp"
#include "workload/purpose.hpp"
#include "workload/softmax.hpp"
#include "workload/topk.hpp"

namespace moesim {
namespace {

constexpr double first_pseudo = 2, rest_pseudo = 10;  // counts that pull a conditional frequency to the common one
constexpr double source_pseudo = 30;                  // tokens that pull a source's popularity to the common one
constexpr std::size_t least_drawn = 16'384, most_drawn = 32'768;
constexpr int rounds = 8;
constexpr double damping = 0.8;

// Counts of one layer of a trace.
struct LayerCounts {
    Matrix<double> first, rest;                   // [source][expert]
    Matrix<double> first_after, rest_after_prev;  // [previous expert][expert]; empty in the first layer
    Matrix<double> rest_with_first;               // [first][expert]
};

LayerCounts count(const RoutingTrace& trace, std::size_t layer, const std::vector<std::size_t>& source_of,
                  std::size_t sources, bool even_only = false) {
    const std::size_t e = trace.experts;
    LayerCounts c{Matrix<double>(sources, e), Matrix<double>(sources, e), {}, {}, Matrix<double>(e, e)};
    if (layer > 0) c.first_after = c.rest_after_prev = Matrix<double>(e, e);
    for (std::size_t t = 0; t < trace.tokens; t += even_only ? 2 : 1) {
        const auto row = trace.at(t, layer);
        if (row[0] == no_expert) continue;
        ++c.first(source_of[t], row[0]);
        const auto before = layer > 0 ? trace.at(t, layer - 1) : std::span<const ExpertIndex>();
        if (!before.empty() && before[0] != no_expert) ++c.first_after(before[0], row[0]);
        for (const ExpertIndex r : row.subspan(1)) {
            if (r == no_expert) continue;
            ++c.rest(source_of[t], r);
            ++c.rest_with_first(row[0], r);
            for (const ExpertIndex b : before)
                if (b != no_expert) ++c.rest_after_prev(b, r);
        }
    }
    return c;
}

// Column sums as a distribution in which no entry is 0, shrunk towards even: of the variance of relative frequencies,
// sampling alone makes experts / count.
std::vector<double> common_popularity(const Matrix<double>& counts) {
    const auto n = static_cast<double>(counts.cols());
    std::vector<double> p(counts.cols(), 0.5);
    for (std::size_t s = 0; s < counts.rows(); ++s)
        for (std::size_t e = 0; e < p.size(); ++e) p[e] += counts(s, e);
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    double variance = 0;
    for (double& x : p) x /= sum, variance += (x * n - 1) * (x * n - 1) / n;
    const double kept = variance > 0 ? std::sqrt(std::max(0.0, 1 - n / sum / variance)) : 0;
    for (double& x : p) x = std::max(1 / n + kept * (x - 1 / n), 1e-6);
    return p;
}

// Relative frequencies in each row, pulled to the common ones; each row a distribution.
Matrix<double> smoothed(const Matrix<double>& counts, const std::vector<double>& common, double pseudo) {
    Matrix<double> p(counts.rows(), counts.cols());
    for (std::size_t r = 0; r < counts.rows(); ++r) {
        const auto row = counts.row(r);
        const double sum = std::accumulate(row.begin(), row.end(), 0.0);
        for (std::size_t e = 0; e < row.size(); ++e) p(r, e) = (row[e] + pseudo * common[e]) / (sum + pseudo);
    }
    return p;
}

// log of them over the common ones.
Matrix<float> ratios(const Matrix<double>& counts, const std::vector<double>& common, double pseudo) {
    const Matrix<double> p = smoothed(counts, common, pseudo);
    Matrix<float> r(p.rows(), p.cols());
    for (std::size_t i = 0; i < p.rows(); ++i)
        for (std::size_t e = 0; e < p.cols(); ++e) r(i, e) = nearest_ratio(std::log(p(i, e) / common[e]));
    return r;
}

// Tokens that are drawn from the model while it is made, to calibrate it.
class DrawnTokens {
  public:
    DrawnTokens(WorkloadModel& model, std::size_t tokens, std::uint64_t seed)
        : model_(model), seed_(seed), choices_(tokens, model.top_k, no_expert), next_(tokens, model.top_k, no_expert),
          logits_(tokens, model.experts) {}

    // Fits the weights of the layer that was added last, and draws its choices.
    void add_layer(const Matrix<double>& first_target, const Matrix<double>& rest_target) {
        WorkloadModel::Layer& layer = model_.layers.back();
        layer.first_weight = start(first_target);
        for (std::size_t t = 0; t < tokens(); ++t) {
            first_logits(model_, layer, source(t), choices_.row(t), logits_.row(t));
            take_weight(t, layer.first_weight);
        }
        for (int round = 0; round < rounds; ++round)
            move(layer.first_weight, first_target, expected_first(layer.first_weight));
        settle(layer.first_weight);
        add_noise(0);
        choose(layer.first_weight, 1, 0);
        if (model_.top_k > 1) {
            layer.rest_weight = start(rest_target);
            for (std::size_t t = 0; t < tokens(); ++t) {
                rest_logits(model_, layer, source(t), next_(t, 0), choices_.row(t), logits_.row(t));
                take_weight(t, layer.rest_weight);
                logits_(t, next_(t, 0)) = -INFINITY;
            }
            add_noise(1);
            for (int round = 0; round < rounds; ++round) {
                choose(layer.rest_weight, model_.top_k - 1, 1);
                move(layer.rest_weight, rest_target, drawn_rest());
            }
            settle(layer.rest_weight);
            choose(layer.rest_weight, model_.top_k - 1, 1);
        }
        std::swap(choices_, next_);
    }

  private:
    [[nodiscard]] std::size_t tokens() const { return choices_.rows(); }
    [[nodiscard]] std::size_t source(std::size_t t) const { return t * model_.sources / tokens(); }

    static Matrix<float> start(const Matrix<double>& target) {
        Matrix<float> w(target.rows(), target.cols());
        for (std::size_t s = 0; s < w.rows(); ++s)
            for (std::size_t e = 0; e < w.cols(); ++e) w(s, e) = static_cast<float>(std::log(target(s, e)));
        return w;
    }
    // The weights change from round to round, so the logits are kept without them.
    void take_weight(std::size_t t, const Matrix<float>& weight) {
        const auto w = weight.row(source(t));
        for (std::size_t e = 0; e < w.size(); ++e) logits_(t, e) -= w[e];
    }
    void add_noise(std::uint64_t part) {
        const std::uint64_t key = stream_key(seed_, purpose::fit, 2 * model_.layers.size() + part);
        for (std::size_t t = 0; t < tokens(); ++t) {
            RandomStream stream(key, t);
            add_gumbel(stream, logits_.row(t));
        }
    }
    // Probabilities of the first choice, the mean over a source's tokens.
    [[nodiscard]] Matrix<double> expected_first(const Matrix<float>& weight) const {
        Matrix<double> sum(model_.sources, model_.experts);
        std::vector<float> p(model_.experts);
        for (std::size_t t = 0; t < tokens(); ++t) {
            const auto row = logits_.row(t), w = weight.row(source(t));
            for (std::size_t e = 0; e < p.size(); ++e) p[e] = row[e] + w[e];
            softmax(p);
            const auto to = sum.row(source(t));
            for (std::size_t e = 0; e < p.size(); ++e) to[e] += static_cast<double>(p[e]);
        }
        return sum;
    }
    [[nodiscard]] Matrix<double> drawn_rest() const {
        Matrix<double> sum(model_.sources, model_.experts,
                           0.5);  // so that a rare one that was not drawn has a logarithm
        for (std::size_t t = 0; t < tokens(); ++t)
            for (const ExpertIndex e : next_.row(t).subspan(1))
                if (e != no_expert) ++sum(source(t), e);
        return sum;
    }
    static void move(Matrix<float>& weight, const Matrix<double>& target, const Matrix<double>& got) {
        for (std::size_t s = 0; s < weight.rows(); ++s) {
            const auto row = got.row(s);
            const double sum = std::accumulate(row.begin(), row.end(), 0.0);
            for (std::size_t e = 0; e < row.size(); ++e)
                weight(s, e) += static_cast<float>(damping * std::log(target(s, e) / std::max(row[e] / sum, 1e-9)));
        }
    }
    // To what a document can hold. A constant on all logits of a source changes nothing: the largest becomes 0.
    static void settle(Matrix<float>& weight) {
        for (std::size_t s = 0; s < weight.rows(); ++s) {
            const auto row = weight.row(s);
            const float top = *std::max_element(row.begin(), row.end());
            for (float& w : row) w = nearest_weight(static_cast<double>(w - top));
        }
    }
    void choose(const Matrix<float>& weight, std::size_t count, std::size_t place) {
        std::vector<float> row(model_.experts);
        for (std::size_t t = 0; t < tokens(); ++t) {
            const auto w = weight.row(source(t));
            for (std::size_t e = 0; e < row.size(); ++e) row[e] = logits_(t, e) + w[e];
            select_topk(row, next_.row(t).subspan(place, count));
        }
    }

    WorkloadModel& model_;
    std::uint64_t seed_;
    Matrix<ExpertIndex> choices_, next_;  // [token][top_k] of the layer before, of this one
    Matrix<float> logits_;                // [token][expert] without the source's weight
};

// What is fitted has to fit a document, and this machine.
void require_sizes(const std::string& origin, std::size_t layers, std::size_t experts, std::size_t top_k) {
    constexpr std::size_t most_top_k = 64, most_layers = 1000;
    constexpr double most_bytes = 8e9;
    if (top_k < 1 || top_k > std::min(most_top_k, experts) || layers > most_layers)
        throw InputError(
            fmt::format("{}: found {} layers, top-{} of {} experts, expected at most {} layers and top_k from 1 "
                        "to {}",
                        origin, layers, top_k, experts, most_layers, std::min(most_top_k, experts)));
    const double e = static_cast<double>(experts);
    const double bytes =
        12 * e * e * static_cast<double>(layers) + 24 * e * e + 4 * e * static_cast<double>(most_drawn);
    if (bytes > most_bytes)
        throw InputError(
            fmt::format("{}: found {} layers of {} experts, {:.3g} bytes of ratios between them, expected at most "
                        "{:.3g} bytes",
                        origin, layers, experts, bytes, most_bytes));
}

WorkloadModel empty_model(const FitOptions& options, std::size_t experts, std::size_t top_k, std::size_t tokens) {
    WorkloadModel m;
    m.name = options.name;
    m.source = options.source;
    m.experts = experts;
    m.top_k = top_k;
    m.tokens = static_cast<std::int64_t>(tokens);
    return m;
}

void add_ratios(WorkloadModel& model, const LayerCounts& c, const std::vector<double>& first,
                const std::vector<double>& rest, bool transitions) {
    WorkloadModel::Layer& layer = model.layers.emplace_back();
    const Matrix<double> nothing(model.experts, model.experts);
    const bool has_previous = model.layers.size() > 1;
    if (has_previous) layer.first_given_previous = ratios(transitions ? c.first_after : nothing, first, first_pseudo);
    if (model.top_k == 1) return;
    layer.rest_given_first = ratios(transitions ? c.rest_with_first : nothing, rest, rest_pseudo);
    if (has_previous) layer.rest_given_previous = ratios(transitions ? c.rest_after_prev : nothing, rest, rest_pseudo);
}

// How much each of the k choices before counts for the later choices: they say much the same, so less than 1 each. The
// weight under which ratios from one half of the tokens make the choices of the other half most likely.
double fit_previous_weight(const RoutingTrace& trace) {
    constexpr std::array<double, 10> candidates = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1};
    constexpr std::size_t most_layers = 8, most_tokens = 2000;
    if (trace.top_k == 1 || trace.layers == 1) return 0;
    const std::vector<std::size_t> source_of(trace.tokens);
    std::array<double, candidates.size()> likelihood{};
    std::vector<double> base(trace.experts), before(trace.experts);
    const std::size_t layer_step = (trace.layers - 2) / most_layers + 1,
                      token_step = trace.tokens / most_tokens / 2 * 2 + 2;
    for (std::size_t l = 1; l < trace.layers; l += layer_step) {
        const LayerCounts c = count(trace, l, source_of, 1, true);
        const std::vector<double> rest = common_popularity(c.rest);
        const Matrix<float> with_first = ratios(c.rest_with_first, rest, rest_pseudo);
        const Matrix<float> after = ratios(c.rest_after_prev, rest, rest_pseudo);
        for (std::size_t t = 1; t < trace.tokens; t += token_step) {
            const auto row = trace.at(t, l), previous = trace.at(t, l - 1);
            if (row[0] == no_expert) continue;
            std::fill(before.begin(), before.end(), 0.0);
            for (std::size_t e = 0; e < base.size(); ++e)
                base[e] = std::log(rest[e]) + static_cast<double>(with_first(row[0], e));
            for (const ExpertIndex b : previous)
                for (std::size_t e = 0; b != no_expert && e < base.size(); ++e)
                    before[e] += static_cast<double>(after(b, e));
            for (std::size_t w = 0; w < candidates.size(); ++w) {
                double sum = 0;
                for (std::size_t e = 0; e < base.size(); ++e)
                    if (e != row[0]) sum += std::exp(base[e] + candidates[w] * before[e]);
                for (const ExpertIndex r : row.subspan(1))
                    if (r != no_expert) likelihood[w] += base[r] + candidates[w] * before[r] - std::log(sum);
            }
        }
    }
    return candidates[static_cast<std::size_t>(std::max_element(likelihood.begin(), likelihood.end()) -
                                               likelihood.begin())];
}

}  // namespace

WorkloadModel fit_workload(const RoutingTrace& trace, const FitOptions& options) {
    require_sizes(trace.origin, trace.layers, trace.experts, trace.top_k);
    WorkloadModel model = empty_model(options, trace.experts, trace.top_k, trace.tokens);
    // A source that has only a few tokens tells nothing of its own.
    model.sources = std::clamp<std::size_t>(trace.tokens / 64, 1, options.sources);
    std::vector<std::size_t> source_of(trace.tokens);
    for (std::size_t t = 0; t < trace.tokens; ++t) source_of[t] = t * model.sources / trace.tokens;
    if (options.transitions) model.previous_weight = fit_previous_weight(trace);
    DrawnTokens drawn(model, std::clamp(4 * trace.tokens, least_drawn, most_drawn), options.seed);
    for (std::size_t l = 0; l < trace.layers; ++l) {
        const LayerCounts c = count(trace, l, source_of, model.sources);
        if (std::all_of(c.first.values().begin(), c.first.values().end(), [](double x) { return x == 0; }))
            throw InputError(fmt::format("{}: found no expert of any token in layer {}, expected some to learn from",
                                         trace.origin, l));
        const std::vector<double> first = common_popularity(c.first), rest = common_popularity(c.rest);
        add_ratios(model, c, first, rest, options.transitions);
        drawn.add_layer(smoothed(c.first, first, source_pseudo),
                        smoothed(c.rest, rest, source_pseudo * static_cast<double>(trace.top_k - 1)));
        if (options.progress) options.progress(static_cast<double>(l + 1) / static_cast<double>(trace.layers));
    }
    return model;
}

WorkloadModel fit_popularity(const LoadTable& loads, std::size_t top_k, const FitOptions& options) {
    require_sizes(loads.origin, loads.load.rows(), loads.load.cols(), top_k);
    WorkloadModel model = empty_model(options, loads.load.cols(), top_k, 1);
    model.sources = 1;
    DrawnTokens drawn(model, least_drawn, options.seed);
    for (std::size_t l = 0; l < loads.load.rows(); ++l) {
        const auto row = loads.load.row(l);
        const double sum = std::accumulate(row.begin(), row.end(), 0.0);
        if (!(sum > 0))
            throw InputError(
                fmt::format("{}: found no load in layer {}, expected some to learn from", loads.origin, l));
        constexpr double most_tokens = 1e12;
        model.tokens =
            std::max(model.tokens, static_cast<std::int64_t>(std::min(sum / static_cast<double>(top_k), most_tokens)));
        Matrix<double> target(1, model.experts);
        for (std::size_t e = 0; e < row.size(); ++e)
            target(0, e) = (row[e] + 1e-6 * sum) / (sum * (1 + 1e-6 * static_cast<double>(row.size())));
        const LayerCounts none;
        add_ratios(model, none, std::vector<double>(model.experts, 1.0), std::vector<double>(model.experts, 1.0),
                   false);
        drawn.add_layer(target, target);
    }
    return model;
}

}  // namespace moesim
