#include <nlohmann/json.hpp>
#include <optional>

#include "base/version.hpp"
#include "result/workload_report.hpp"

namespace moesim {
namespace {

using Out = nlohmann::ordered_json;

Out or_null(const std::optional<double>& value) { return value ? Out(*value) : Out(nullptr); }

Out load_json(const LoadStatistics& s) {
    return {{"load_cv", s.balance.cv},
            {"load_max_over_mean", s.balance.max_over_mean},
            {"load_entropy_nats", s.entropy_nats},
            {"load_entropy_share", s.entropy_share},
            {"load_top_tenth_share", s.top_tenth_share},
            {"load_gini", s.gini}};
}

Out layer_json(const LayerStatistics& s, std::size_t l) {
    Out layer = {{"layer", l}, {"tokens", s.tokens}};
    layer.update(load_json(s.balance));
    layer.update(Out{{"choices_asked", s.choices_asked},
                     {"choices_dropped", s.choices_dropped},
                     {"drop_rate", s.drop_rate},
                     {"experts_per_token", s.experts_per_token},
                     {"tokens_without_expert_share", s.without_expert_share},
                     {"unique_experts_per_group", or_null(s.unique_experts_per_group)},
                     {"gate_entropy_nats", or_null(s.gate_entropy_nats)}});
    layer["expert_tokens"] = s.load;
    return layer;
}

Out matrix_json(const Matrix<std::int64_t>& m) {
    Out rows = Out::array();
    for (std::size_t r = 0; r < m.rows(); ++r)
        rows.push_back(std::vector<std::int64_t>(m.row(r).begin(), m.row(r).end()));
    return rows;
}

Out transition_json(const RoutingStatistics& statistics, LayerId into, const TransitionStatistics& s,
                    bool with_counts) {
    Out t = {{"from_layer", into.value() - 1},
             {"to_layer", into.value()},
             {"tokens", s.tokens},
             {"from_entropy_nats", s.previous_entropy_nats},
             {"to_entropy_nats", s.entropy_nats},
             {"mutual_information_nats", s.mutual_information_nats},
             {"mutual_information_of_chance_nats", s.mutual_information_of_chance_nats}};
    if (!with_counts) return t;
    t["first_choice_counts"] = matrix_json(statistics.first_choice_counts(into));
    if (statistics.pair_counts(into).rows() > 0) t["pair_counts"] = matrix_json(statistics.pair_counts(into));
    return t;
}

Out document(std::string_view origin, std::size_t experts) {
    return {{"schema", "moesim.workload-description/1"},
            {"origin", origin},
            {"moesim_version", version()},
            {"experts", experts}};
}

}  // namespace

nlohmann::ordered_json workload_json(const RoutingStatistics& statistics, std::string_view origin,
                                     bool with_transition_counts) {
    Out out = document(origin, statistics.experts());
    const std::int64_t group = statistics.options().group_tokens;
    out["group_tokens"] = group == 0 ? Out("batch") : Out(group);
    out["layers"] = out["transitions"] = Out::array();
    for (std::size_t l = 0; l < statistics.layers(); ++l) {
        out["layers"].push_back(layer_json(statistics.layer(LayerId(l)), l));
        if (const auto t = statistics.transition(LayerId(l)))
            out["transitions"].push_back(transition_json(statistics, LayerId(l), *t, with_transition_counts));
    }
    return out;
}

nlohmann::ordered_json workload_json(const LoadTable& recorded) {
    Out out = document(recorded.origin, recorded.load.cols());
    out["layers"] = Out::array();
    const auto statistics = load_statistics_of(recorded);
    for (std::size_t l = 0; l < statistics.size(); ++l) {
        Out layer = {{"layer", l}};
        layer.update(load_json(statistics[l]));
        layer["expert_load"] = std::vector<double>(recorded.load.row(l).begin(), recorded.load.row(l).end());
        out["layers"].push_back(std::move(layer));
    }
    return out;
}

}  // namespace moesim
