#include "result/result_json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/version.hpp"
#include "config/scenario_json.hpp"
#include "network/simulator_version.hpp"
#include "result/timeline.hpp"

namespace moesim {
namespace {

using Out = nlohmann::ordered_json;

Out seconds(const std::vector<Seconds>& values) {
    Out all = Out::array();
    for (const Seconds s : values) all.push_back(s.value());
    return all;
}

Out stages_json(const Metrics& m) {
    Out all = Out::array();
    for (std::size_t s = 0; s < stage_count; ++s) {
        const StageMetrics& stage = m.stages[s];
        all.push_back({{"stage", stage_names[s]},
                       {"mean_s", stage.mean.value()},
                       {"slowest_s", stage.slowest.value()},
                       {"slowest_rank", stage.slowest_rank.value()},
                       {"critical_path_s", stage.critical_path.value()},
                       {"per_rank_s", seconds(stage.per_rank)}});
    }
    return all;
}

Out balance_json(const LayerMetrics& l) {
    return {{"expert_cv", l.experts.cv},
            {"expert_max_over_mean", l.experts.max_over_mean},
            {"rank_cv", l.ranks.cv},
            {"rank_max_over_mean", l.ranks.max_over_mean},
            {"drop_rate", l.drop_rate}};
}

Out load_json(const Result& r, const Metrics& m) {
    Out load = balance_json(m.load);
    load["layers"] = Out::array();
    for (std::size_t l = 0; l < m.layers.size(); ++l) {
        Out layer = {{"layer", l}};
        layer.update(balance_json(m.layers[l]));
        layer["expert_tokens"] = r.layers[l].expert_tokens;
        layer["rank_tokens"] = r.layers[l].rank_tokens;
        load["layers"].push_back(std::move(layer));
    }
    return load;
}

Out matrix_json(const Matrix<std::int64_t>& m) {
    Out rows = Out::array();
    for (std::size_t r = 0; r < m.rows(); ++r)
        rows.push_back(std::vector<std::int64_t>(m.row(r).begin(), m.row(r).end()));
    return rows;
}

Out traffic_json(const Result& r) {
    const Fabric& fabric = r.plan.fabric;
    Matrix<std::int64_t> nodes(fabric.nodes(), fabric.nodes());
    for (std::size_t a = 0; a < fabric.ranks(); ++a)
        for (std::size_t b = 0; b < fabric.ranks(); ++b)
            nodes(fabric.node_of(RankId(a)).value(), fabric.node_of(RankId(b)).value()) += r.rank_bytes(a, b);
    const NetworkTraffic& t = r.traffic;
    Out j = {{"dispatch_bytes", t.dispatch.bytes.value()},      {"dispatch_messages", t.dispatch.messages},
             {"return_bytes", t.return_.bytes.value()},         {"return_messages", t.return_.messages},
             {"tensor_parallel_bytes", t.tensor.bytes.value()}, {"tensor_parallel_messages", t.tensor.messages},
             {"inside_nodes_bytes", t.inside_nodes.value()},    {"between_nodes_bytes", t.between_nodes.value()},
             {"node_to_node_bytes", matrix_json(nodes)}};
    if (t.context.messages > 0) {
        j["context_bytes"] = t.context.bytes.value();
        j["context_messages"] = t.context.messages;
    }
    if (fabric.ranks() <= 256) j["rank_to_rank_bytes"] = matrix_json(r.rank_bytes);
    return j;
}

Out calls_json(const Volume& v, int launches) {
    Out j = {{"calls", v.calls}, {"launches_per_rank", v.calls * launches}, {"messages", v.messages}};
    for (std::size_t c = 0; c < link_class_count; ++c)
        if (c < 3 || v.class_bytes[c] > Bytes{})  // nvlink, nic and uplink are always there
            j[std::string(link_class_names[c]) + "_bytes"] = v.class_bytes[c].value();
    return j;
}

Out all_to_all_json(const Result& r) {
    Bytes staged;
    for (const MemoryLayout& layout : r.memory) staged = std::max(staged, layout.forward);
    return {{"algorithm", name(r.plan.scenario.dispatch.algorithm)},
            {"dispatch", calls_json(r.traffic.dispatch, r.launches.dispatch)},
            {"return", calls_json(r.traffic.return_, r.launches.return_)},
            {"largest_staging_bytes", staged.value()}};
}

// What a library's calls share beside the cluster's links (network/call_links.hpp) begins and ends at one place.
bool of_call(const Link& link) { return link.from == link.to; }

Out links_json(const Result& r, const Metrics& m) {
    Out all = Out::array();
    for (const LinkUse& use : m.links) {
        const Link& link = r.plan.fabric.link(use.link);
        all.push_back(
            {{"link", link.name},
             {"class", of_call(link) ? "library" : link_class_names[static_cast<std::size_t>(link.link_class)]},
             {"bytes", use.bytes.value()},
             {"usable_bytes_per_s", r.link_capacity[use.link.value()].value()},
             {"use_share", use.share}});
    }
    return all;
}

Out memory_json(const Result& r, const Metrics& m) {
    Out ranks = Out::array();
    for (const MemoryLayout& layout : r.memory) {
        Out one = Out::object();
        for (const auto& [name, bytes] : layout.parts()) one[std::string(name) + "_bytes"] = bytes.value();
        one["total_bytes"] = layout.total().value();
        ranks.push_back(std::move(one));
    }
    return {{"capacity_bytes", r.plan.scenario.profile.memory_capacity.value.value()},
            {"fullest_rank", m.fullest_rank.value()},
            {"ranks", std::move(ranks)}};
}

// How far the fluid network's times may be from exact sharing: relative bounds that tests hold it to (see
// tests/property/fluid_property_test.cpp), and how coarse its steps were in fact.
nlohmann::ordered_json network_json(const Result& r) {
    const NetworkSpec& n = r.plan.scenario.network;
    nlohmann::ordered_json j = {{"model", network_names[static_cast<std::size_t>(n.model)]}};
    if (n.model != NetworkKind::fluid) return j;
    j["tolerance"] = n.tolerance;
    j["coarsest_step"] = r.network.coarseness;
    j["makespan_error_bound"] = n.tolerance;
    j["rank_error_bound"] = 2 * n.tolerance;
    if (!n.faults.links.empty()) j["rerouted_transfers"] = r.network.rerouted;
    return j;
}

}  // namespace

nlohmann::ordered_json to_json(const Result& r, const Metrics& m) {
    return {{"schema", "moesim.result/1"},
            {"name", r.plan.scenario.name},
            {"moesim_version", version()},
            {"simgrid_version", simgrid_version()},
            {"seed", r.plan.scenario.seed},
            {"makespan_s", m.makespan.value()},
            {"tokens", m.tokens},
            {"tokens_per_s", m.tokens_per_s},
            {"stages", stages_json(m)},
            {"idle",
             {{"mean_s", m.mean_idle.value()}, {"longest_s", m.longest_idle.value()}, {"per_rank_s", seconds(m.idle)}}},
            {"load", load_json(r, m)},
            {"traffic", traffic_json(r)},
            {"all_to_all", all_to_all_json(r)},
            {"links", links_json(r, m)},
            {"memory", memory_json(r, m)},
            {"network", network_json(r)},
            {"timeline", timeline_json(r)},
            {"scenario", to_json(r.plan.scenario)}};
}

}  // namespace moesim
