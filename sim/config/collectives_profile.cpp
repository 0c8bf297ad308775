#include "config/collectives_profile.hpp"

#include "config/sourced_json.hpp"

namespace moesim {
namespace {

constexpr double most_rows = 1e6;

NcclProfile nccl_profile(const JsonValue& value) {
    const JsonObject o(value, {"start_up", "per_doubling", "short_rate", "short_most", "fill", "fill_bytes", "rate",
                               "own_share", "flagged", "host_bridge"});
    NcclProfile p{sourced_time(o["start_up"]),
                  sourced_time(o["per_doubling"]),
                  sourced_bandwidth(o["short_rate"]),
                  sourced_time(o["short_most"]),
                  sourced_time(o["fill"]),
                  sourced_size(o["fill_bytes"], 1),
                  sourced_bandwidth(o["rate"]),
                  sourced_number(o["own_share"], 0, 1),
                  std::nullopt,
                  std::nullopt};
    if (o["flagged"].present()) {
        const JsonObject f(o["flagged"], {"size", "weight"});
        p.flagged = {sourced_size(f["size"], 1), sourced_number(f["weight"], 1, 4)};
    }
    if (o["host_bridge"].present()) {
        const JsonObject b(o["host_bridge"], {"gpus", "rate", "contention"});
        p.host_bridge = {sourced_count(b["gpus"]), sourced_bandwidth(b["rate"]), sourced_number(b["contention"], 0, 2)};
    }
    return p;
}

DeepEpNormalPhase normal_phase(const JsonValue& value) {
    const JsonObject o(value, {"start_up", "first_row_rate", "rows_in_flight", "half_rows", "row_time", "sm_rate",
                               "nvlink", "reduce_rate", "nodes"});
    DeepEpNormalPhase p{sourced_time(o["start_up"]),
                        sourced_bandwidth(o["first_row_rate"]),
                        sourced_number(o["rows_in_flight"], 0, most_rows),
                        sourced_number(o["half_rows"], 1e-3, most_rows),
                        sourced_time(o["row_time"]),
                        sourced_bandwidth(o["sm_rate"]),
                        sourced_bandwidth(o["nvlink"]),
                        std::nullopt,
                        std::nullopt};
    if (o["reduce_rate"].present()) p.reduce_rate = sourced_bandwidth(o["reduce_rate"]);
    if (o["nodes"].present()) {
        const JsonObject n(o["nodes"], {"start_up", "rows_in_flight", "half_rows", "sm_rate", "shared_rate", "nic"});
        p.nodes = {sourced_time(n["start_up"]),
                   sourced_number(n["rows_in_flight"], 0, most_rows),
                   sourced_number(n["half_rows"], 1e-3, most_rows),
                   sourced_bandwidth(n["sm_rate"]),
                   sourced_bandwidth(n["shared_rate"]),
                   sourced_bandwidth(n["nic"])};
    }
    return p;
}

DeepEpLowLatencyPhase low_latency_phase(const JsonValue& value) {
    const JsonObject o(value, {"start_up", "per_expert", "first_row_rate", "rate", "expert_rate", "nodes"});
    DeepEpLowLatencyPhase p{
        sourced_time(o["start_up"]),  sourced_time(o["per_expert"]),       sourced_bandwidth(o["first_row_rate"]),
        sourced_bandwidth(o["rate"]), sourced_bandwidth(o["expert_rate"]), std::nullopt};
    if (o["nodes"].present()) {
        const JsonObject n(o["nodes"], {"start_up", "nic"});
        p.nodes = {sourced_time(n["start_up"]), sourced_bandwidth(n["nic"])};
    }
    return p;
}

template <class Read>
auto both_ways(const JsonValue& value, Read read) {
    const JsonObject o(value, {"dispatch", "combine"});
    auto dispatch = read(o["dispatch"]);
    return BothWays<decltype(dispatch)>{std::move(dispatch), read(o["combine"])};
}

using Out = nlohmann::ordered_json;

Out to_json(const NcclProfile& p) {
    Out j = {{"start_up", to_json(p.start_up)},
             {"per_doubling", to_json(p.per_doubling)},
             {"short_rate", to_json(p.short_rate)},
             {"short_most", to_json(p.short_most)},
             {"fill", to_json(p.fill)},
             {"fill_bytes", to_json(p.fill_bytes)},
             {"rate", to_json(p.rate)},
             {"own_share", to_json(p.own_share)}};
    if (p.flagged) j["flagged"] = {{"size", to_json(p.flagged->size)}, {"weight", to_json(p.flagged->weight)}};
    if (p.host_bridge)
        j["host_bridge"] = {{"gpus", to_json(p.host_bridge->gpus)},
                            {"rate", to_json(p.host_bridge->rate)},
                            {"contention", to_json(p.host_bridge->contention)}};
    return j;
}

Out to_json(const DeepEpNormalPhase& p) {
    Out j = {{"start_up", to_json(p.start_up)},
             {"first_row_rate", to_json(p.first_row_rate)},
             {"rows_in_flight", to_json(p.rows_in_flight)},
             {"half_rows", to_json(p.half_rows)},
             {"row_time", to_json(p.row_time)},
             {"sm_rate", to_json(p.sm_rate)},
             {"nvlink", to_json(p.nvlink)}};
    if (p.reduce_rate) j["reduce_rate"] = to_json(*p.reduce_rate);
    if (p.nodes)
        j["nodes"] = {
            {"start_up", to_json(p.nodes->start_up)},       {"rows_in_flight", to_json(p.nodes->rows_in_flight)},
            {"half_rows", to_json(p.nodes->half_rows)},     {"sm_rate", to_json(p.nodes->sm_rate)},
            {"shared_rate", to_json(p.nodes->shared_rate)}, {"nic", to_json(p.nodes->nic)}};
    return j;
}

Out to_json(const DeepEpLowLatencyPhase& p) {
    Out j = {{"start_up", to_json(p.start_up)},
             {"per_expert", to_json(p.per_expert)},
             {"first_row_rate", to_json(p.first_row_rate)},
             {"rate", to_json(p.rate)},
             {"expert_rate", to_json(p.expert_rate)}};
    if (p.nodes) j["nodes"] = {{"start_up", to_json(p.nodes->start_up)}, {"nic", to_json(p.nodes->nic)}};
    return j;
}

template <class Phase>
Out to_json(const BothWays<Phase>& p) {
    return {{"dispatch", to_json(p.dispatch)}, {"combine", to_json(p.combine)}};
}

}  // namespace

CollectivesProfile parse_collectives(const JsonValue& value) {
    CollectivesProfile c;
    if (!value.present()) return c;
    const JsonObject o(value, {"nccl", "deepep_normal", "deepep_low_latency"});
    if (o["nccl"].present()) c.nccl = nccl_profile(o["nccl"]);
    if (o["deepep_normal"].present()) c.deepep_normal = both_ways(o["deepep_normal"], normal_phase);
    if (o["deepep_low_latency"].present()) c.deepep_low_latency = both_ways(o["deepep_low_latency"], low_latency_phase);
    return c;
}

nlohmann::ordered_json to_json(const CollectivesProfile& c) {
    Out j = Out::object();
    if (c.nccl) j["nccl"] = to_json(*c.nccl);
    if (c.deepep_normal) j["deepep_normal"] = to_json(*c.deepep_normal);
    if (c.deepep_low_latency) j["deepep_low_latency"] = to_json(*c.deepep_low_latency);
    return j;
}

}  // namespace moesim
