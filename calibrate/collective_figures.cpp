#include "calibrate/collective_figures.hpp"

#include <fmt/format.h>

#include <cmath>

namespace moesim {
namespace {

double raw(double v) { return v; }
double raw(Seconds v) { return v.value(); }
double raw(BytesPerSecond v) { return v.value(); }
double raw(Bytes v) { return v.as_double(); }
void assign(double& to, double v) { to = v; }
void assign(Seconds& to, double v) { to = Seconds(v); }
void assign(BytesPerSecond& to, double v) { to = BytesPerSecond(v); }
void assign(Bytes& to, double v) { to = Bytes(std::llround(v)); }

// `access` gives the sourced figure of a profile, const or not.
template <class Access>
Figure figure(std::string name, Access access) {
    return {std::move(name), [access](const Profile& p) { return raw(access(p).value); },
            [access](Profile& p, double v) { assign(access(p).value, v); },
            [access](Profile& p, const std::string& source) { access(p).source = source; }};
}

#define NCCL(key) \
    figure(       \
        "nccl." #key, [](auto& p) -> auto& { return p.collectives.nccl->key; })

// The figures of one direction of the DeepEP kernels, under `phase` of the profile.
#define PHASE(part, key)                                                                                \
    figure(                                                                                             \
        fmt::format(#part ".{}." #key, combine ? "combine" : "dispatch"), [combine](auto& p) -> auto& { \
            auto& both = *p.collectives.part;                                                           \
            return (combine ? both.combine : both.dispatch).key;                                        \
        })

}  // namespace

std::vector<Figure> nccl_figures(bool host_bridge) {
    std::vector<Figure> f = {NCCL(start_up), NCCL(per_doubling), NCCL(short_rate), NCCL(short_most), NCCL(rate)};
    if (host_bridge) {
        f.push_back(NCCL(flagged->weight));
        f.push_back(NCCL(host_bridge->rate));  // its contention is set: one count of GPUs does not tell it
    } else {
        f.push_back(NCCL(fill));
        f.push_back(NCCL(fill_bytes));
        f.push_back(NCCL(own_share));
    }
    return f;
}

std::vector<Figure> normal_figures(bool combine, bool across_nodes) {
    // The multiprocessors hold back all rows, so that none tells the NIC's rate: it is set.
    if (across_nodes)
        return {PHASE(deepep_normal, nodes->start_up), PHASE(deepep_normal, nodes->rows_in_flight),
                PHASE(deepep_normal, nodes->half_rows), PHASE(deepep_normal, nodes->sm_rate),
                PHASE(deepep_normal, nodes->shared_rate)};
    std::vector<Figure> f = {PHASE(deepep_normal, start_up),       PHASE(deepep_normal, first_row_rate),
                             PHASE(deepep_normal, rows_in_flight), PHASE(deepep_normal, half_rows),
                             PHASE(deepep_normal, row_time),       PHASE(deepep_normal, sm_rate),
                             PHASE(deepep_normal, nvlink)};
    if (combine) f.push_back(PHASE(deepep_normal, reduce_rate.value()));
    return f;
}

std::vector<Figure> low_latency_figures(bool combine, LowLatencyPart part) {
    if (part == LowLatencyPart::few_experts) return {PHASE(deepep_low_latency, expert_rate)};
    if (part == LowLatencyPart::nodes)
        return {PHASE(deepep_low_latency, nodes->start_up), PHASE(deepep_low_latency, nodes->nic)};
    return {PHASE(deepep_low_latency, start_up), PHASE(deepep_low_latency, per_expert),
            PHASE(deepep_low_latency, first_row_rate), PHASE(deepep_low_latency, rate)};
}

std::vector<Figure> readme_figures(bool combine, bool low_latency) {
    if (low_latency) return {PHASE(deepep_low_latency, rate), PHASE(deepep_low_latency, nodes->start_up)};
    return {PHASE(deepep_normal, nvlink), PHASE(deepep_normal, nodes->nic)};
}

}  // namespace moesim
