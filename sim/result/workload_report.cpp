#include "result/workload_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "result/human.hpp"

namespace moesim {
namespace {

constexpr std::size_t most_lines = 32;

// What a line shows, in the order of its columns.
using Cells = std::vector<std::optional<double>>;
struct Column {
    std::string_view head;
    std::size_t width;
    int digits;
    bool share = false;
};
constexpr std::array<Column, 11> columns = {{{"load CV", 7, 3},
                                             {"max/mean", 8, 2},
                                             {"entropy", 7, 1, true},
                                             {"top 10%", 7, 1, true},
                                             {"Gini", 5, 3},
                                             {"dropped", 7, 1, true},
                                             {"experts/token", 13, 2},
                                             {"unique/group", 12, 1},
                                             {"gate nats", 9, 3},
                                             {"MI to next", 10, 3},
                                             {"by chance", 10, 3}}};

Cells load_cells(const LoadStatistics& s) {
    return {s.balance.cv, s.balance.max_over_mean, s.entropy_share, s.top_tenth_share, s.gini};
}

Cells layer_cells(const RoutingStatistics& statistics, std::size_t l) {
    const LayerStatistics s = statistics.layer(LayerId(l));
    Cells cells = load_cells(s.balance);
    cells.insert(cells.end(), {s.drop_rate, s.experts_per_token, s.unique_experts_per_group, s.gate_entropy_nats});
    const auto next =
        l + 1 < statistics.layers() ? statistics.transition(LayerId(l + 1)) : std::optional<TransitionStatistics>{};
    cells.push_back(next ? std::optional(next->mutual_information_nats) : std::nullopt);
    cells.push_back(next ? std::optional(next->mutual_information_of_chance_nats) : std::nullopt);
    return cells;
}

std::string line(std::string_view name, const Cells& cells) {
    std::string out = fmt::format("{:<14}", name);
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const Column& c = columns[i];
        const std::string value = !cells[i] ? "-"
                                  : c.share ? human_share(*cells[i])
                                            : fmt::format("{:.{}f}", *cells[i], c.digits);
        out += fmt::format("  {:>{}}", value, c.width);
    }
    return out + '\n';
}

// Of those that have a value.
Cells mean(const std::vector<Cells>& layers) {
    Cells means(layers.front().size());
    for (std::size_t i = 0; i < means.size(); ++i) {
        double sum = 0, count = 0;
        for (const Cells& cells : layers)
            if (cells[i]) sum += *cells[i], ++count;
        if (count > 0) means[i] = sum / count;
    }
    return means;
}

std::string lines(const std::vector<Cells>& layers) {
    if (layers.empty()) return "  (no layers)\n";
    std::string out = fmt::format("{:<14}", "layer");
    for (std::size_t i = 0; i < layers.front().size(); ++i)
        out += fmt::format("  {:>{}}", columns[i].head, columns[i].width);
    out += '\n';
    if (layers.size() <= most_lines) {
        for (std::size_t l = 0; l < layers.size(); ++l) out += line(fmt::format("{}", l), layers[l]);
    } else {
        std::vector<std::size_t> rising(layers.size());
        std::iota(rising.begin(), rising.end(), std::size_t{0});
        std::ranges::stable_sort(rising, std::less<>{}, [&](std::size_t l) { return layers[l][0].value_or(0); });
        const std::size_t median = rising[(rising.size() - 1) / 2], worst = rising.back();
        out += line("0 (first)", layers.front());
        out += line(fmt::format("{} (median)", median), layers[median]);
        out += line(fmt::format("{} (worst)", worst), layers[worst]);
    }
    out += line("mean", mean(layers));
    if (layers.size() > most_lines) out += "  Median and worst are of all layers by load CV.\n";
    return out;
}

std::int64_t count(std::size_t n) { return static_cast<std::int64_t>(n); }

Matrix<double> over_mean(std::size_t layers, std::size_t experts,
                         const std::function<std::vector<double>(std::size_t)>& load) {
    Matrix<double> out(layers, experts);
    for (std::size_t l = 0; l < layers; ++l) {
        const std::vector<double> of = load(l);
        const double sum = std::accumulate(of.begin(), of.end(), 0.0);
        for (std::size_t e = 0; e < experts; ++e) out(l, e) = sum > 0 ? of[e] * static_cast<double>(experts) / sum : 0;
    }
    return out;
}

HeatMap load_map(Matrix<double> values) {
    return {"Load of each expert", "layer", "expert", "load over the layer's mean", std::move(values), 0.0, {}};
}

}  // namespace

std::string workload_table(const RoutingStatistics& statistics, std::string_view title) {
    std::vector<Cells> layers;
    std::int64_t tokens = 0;
    for (std::size_t l = 0; l < statistics.layers(); ++l) {
        layers.push_back(layer_cells(statistics, l));
        tokens = std::max(tokens, statistics.layer(LayerId(l)).tokens);
    }
    const std::int64_t group = statistics.options().group_tokens;
    return fmt::format("{}\n  {}, {}, {}\n\n", title, counted(tokens, "token"),
                       counted(count(statistics.layers()), "layer"), counted(count(statistics.experts()), "expert")) +
           lines(layers) +
           fmt::format(
               "  entropy: share of that of an even load; top 10%: share of the load on the most loaded tenth "
               "of the experts;\n  unique/group: experts that any of {} chose; MI: mutual information of first "
               "choices,\n  in nats; by chance: what as many tokens show where layers are independent.\n",
               group == 0 ? "a batch's tokens" : fmt::format("{} consecutive tokens", group));
}

std::string workload_table(const LoadTable& recorded) {
    std::vector<Cells> layers;
    for (const LoadStatistics& s : load_statistics_of(recorded)) layers.push_back(load_cells(s));
    return fmt::format("{}\n  loads only, {}, {}\n\n", recorded.origin, counted(count(recorded.load.rows()), "layer"),
                       counted(count(recorded.load.cols()), "expert")) +
           lines(layers) +
           "  entropy: share of that of an even load; top 10%: share of the load on the most loaded tenth of the "
           "experts.\n";
}

HeatMap load_heat_map(const RoutingStatistics& statistics) {
    return load_map(over_mean(statistics.layers(), statistics.experts(), [&](std::size_t l) {
        const auto load = statistics.layer(LayerId(l)).load;
        return std::vector<double>(load.begin(), load.end());
    }));
}

HeatMap load_heat_map(const LoadTable& recorded) {
    return load_map(over_mean(recorded.load.rows(), recorded.load.cols(), [&](std::size_t l) {
        return std::vector<double>(recorded.load.row(l).begin(), recorded.load.row(l).end());
    }));
}

HeatMap transition_heat_map(const RoutingStatistics& statistics, LayerId into) {
    const std::size_t l = into.value();
    if (l >= statistics.layers() || statistics.first_choice_counts(into).rows() == 0)
        throw InputError(fmt::format("no transitions into layer {} were counted", l));
    const Matrix<std::int64_t>& counts = statistics.first_choice_counts(into);
    Matrix<double> shares(counts.rows(), counts.cols());
    for (std::size_t a = 0; a < counts.rows(); ++a) {
        const auto row = counts.row(a);
        const auto sum = static_cast<double>(std::accumulate(row.begin(), row.end(), std::int64_t{0}));
        for (std::size_t b = 0; b < counts.cols(); ++b) shares(a, b) = static_cast<double>(row[b]) / sum;  // 0/0: NaN
    }
    return {fmt::format("First choices in layer {} after those in layer {}", l, l - 1),
            fmt::format("expert of layer {}", l - 1),
            fmt::format("expert of layer {}", l),
            "share of the row's tokens",
            std::move(shares),
            0.0,
            {}};
}

}  // namespace moesim
