#include "calibrate/collective_groups.hpp"

#include <fmt/format.h>

#include <cmath>

#include "calibrate/collective_figures.hpp"
#include "calibrate/uniform_call.hpp"

namespace moesim {
namespace {

GroupSample nccl_sample(const NcclCall& c, bool fitted) {
    return {{[c](const Profile& p) { return predict_nccl(p, c).value(); }, c.measured.value()},
            fmt::format("{} GPUs, {} B", c.ranks, c.bytes.value()),
            fmt::format("{} GPUs", c.ranks),
            fitted,
            c.bytes >= Bytes(1 << 20),
            {}};
}

using Predict = Seconds (*)(const Profile&, const DeepEpCall&);

GroupSample deepep_sample(const DeepEpCall& c, Predict predict, std::string share, bool fitted) {
    return {{[c, predict](const Profile& p) { return predict(p, c).value(); }, c.measured.value()},
            fmt::format("{} ranks, hidden {}, {} tokens, top-{} of {}{}", c.ranks(), c.hidden, c.tokens, c.top_k,
                        c.experts, c.multiprocessors > 0 ? fmt::format(", {} SMs", c.multiprocessors) : ""),
            std::move(share),
            fitted,
            false,
            {}};
}

GroupSample normal_sample(const DeepEpCall& c, std::string share, bool fitted) {
    GroupSample s = deepep_sample(c, predict_deepep_normal, std::move(share), fitted);
    // With 128 experts a token's eight go to 5.31 of 8 GPUs, with 256 to 5.28: the count of experts hardly matters.
    s.alike = fmt::format("{} ranks, hidden {}, {} tokens, top-{}, {} SMs", c.ranks(), c.hidden, c.tokens, c.top_k,
                          c.multiprocessors);
    return s;
}

const char* way(bool combine) { return combine ? "combine" : "dispatch"; }

void add_nccl(std::vector<Group>& groups, const std::vector<NcclCall>& calls) {
    struct Machine {
        const char *system, *profile, *wires;
    };
    for (const Machine m : {Machine{"a100_sxm", "a100-sxm", "NVLink"}, Machine{"h100_sxm", "h100-sxm", "NVLink"},
                            Machine{"l40s", "l40s", "PCIe"}}) {
        const bool pcie = std::string(m.wires) == "PCIe";
        Group g{fmt::format("NCCL all-to-all, {}", m.wires),
                m.profile,
                "2 and 8 GPUs, NCCL 2.27 and later",
                "4 GPUs",
                nccl_figures(pcie),
                {},
                pcie ? 0.1 : 0.03};
        Group old{g.name + ", NCCL 2.23", m.profile, "", "all", {}, {}, 0.1};
        for (const NcclCall& c : calls) {
            if (c.system != m.system) continue;
            const bool is_old = c.version == "nccl-2.23";
            (is_old ? old : g).samples.push_back(nccl_sample(c, !is_old && c.ranks != 4));
        }
        for (Group* one : {&g, &old})
            if (!one->samples.empty()) groups.push_back(std::move(*one));
    }
}

void add_normal(std::vector<Group>& groups, const std::vector<DeepEpCall>& calls) {
    for (const bool combine : {false, true}) {
        Group one{fmt::format("DeepEP normal {}, one node", way(combine)),
                  "h100-sxm",
                  "hidden 4096 and 7168",
                  "hidden 2048",
                  normal_figures(combine, false),
                  {},
                  0.1};
        Group old{one.name + ", older release", "h100-sxm", "", "all", {}, {}, 0.1};
        // The multiprocessors hold back all rows, so that none tells the NIC's rate: it is set.
        Group two{fmt::format("DeepEP normal {}, two nodes", way(combine)),
                  "h100-sxm",
                  "4 and 24 SMs",
                  "8, 12, 16, 20 SMs",
                  normal_figures(combine, true),
                  {},
                  0.1};
        for (const DeepEpCall& c : calls) {
            if (c.combine != combine) continue;
            if (c.nodes == 2) {
                const bool fitted = c.multiprocessors == 4 || c.multiprocessors == 24;
                two.samples.push_back(normal_sample(c, fmt::format("{} SMs", c.multiprocessors), fitted));
                continue;
            }
            const bool is_old = c.version != "sglang-0.5.12";
            (is_old ? old : one)
                .samples.push_back(normal_sample(c, fmt::format("hidden {}", c.hidden), !is_old && c.hidden != 2048));
        }
        for (Group* g : {&one, &old, &two})
            if (!g->samples.empty()) groups.push_back(std::move(*g));
    }
}

void add_low_latency(std::vector<Group>& groups, const std::vector<DeepEpCall>& calls) {
    for (const bool combine : {false, true}) {
        Group one{fmt::format("DeepEP low-latency {}, one node", way(combine)),
                  "h100-sxm",
                  "hidden 2048 and 7168",
                  "hidden 4096",
                  low_latency_figures(combine, LowLatencyPart::inside),
                  {},
                  0.1};
        Group few{one.name + ", 8 experts",
                  "h100-sxm",
                  "64 and 128 tokens",
                  "other counts of tokens",
                  low_latency_figures(combine, LowLatencyPart::few_experts),
                  {},
                  0.1};
        Group old{one.name + ", older release", "h100-sxm", "", "all", {}, {}, 0.1};
        Group two{fmt::format("DeepEP low-latency {}, two nodes", way(combine)),
                  "h100-sxm",
                  "256 experts",
                  "288 experts",
                  low_latency_figures(combine, LowLatencyPart::nodes),
                  {},
                  0.1};
        for (const DeepEpCall& c : calls) {
            if (c.combine != combine) continue;
            const bool is_old = c.version != "sglang-0.5.12", is_few = c.experts < 128;
            Group& g = c.nodes == 2 ? two : is_few ? few : is_old ? old : one;
            const bool fitted = &g == &two   ? c.experts == 256
                                : &g == &one ? c.hidden != 4096
                                : &g == &few ? c.tokens == 64 || c.tokens == 128
                                             : false;
            g.samples.push_back(deepep_sample(c, predict_deepep_low_latency,
                                              &g == &two   ? fmt::format("{} experts", c.experts)
                                              : &g == &few ? fmt::format("{} tokens", c.tokens)
                                                           : fmt::format("hidden {}", c.hidden),
                                              fitted));
        }
        for (Group* g : {&one, &few, &old, &two})
            if (!g->samples.empty()) groups.push_back(std::move(*g));
    }
}

void add_readme(std::vector<Group>& groups, const std::vector<DeepEpCall>& normal,
                const std::vector<DeepEpCall>& low_latency) {
    for (const bool combine : {false, true}) {
        Group n{fmt::format("DeepEP normal {}, README", way(combine)),
                "h800",
                "8 and 32 ranks",
                "16 and 64 ranks",
                readme_figures(combine, false),
                {},
                0.1};
        for (const DeepEpCall& c : normal)
            if (c.combine == combine)
                n.samples.push_back(deepep_sample(c, predict_deepep_normal, fmt::format("{} ranks", c.ranks()),
                                                  c.nodes == 1 || c.nodes == 4));
        Group l{fmt::format("DeepEP low-latency {}, README", way(combine)),
                "h800",
                "8 and 16 ranks",
                "32 to 256 ranks",
                readme_figures(combine, true),
                {},
                0.1};
        for (const DeepEpCall& c : low_latency)
            if (c.combine == combine)
                l.samples.push_back(
                    deepep_sample(c, predict_deepep_low_latency, fmt::format("{} ranks", c.ranks()), c.nodes <= 2));
        for (Group* g : {&n, &l})
            if (!g->samples.empty()) groups.push_back(std::move(*g));
    }
}

}  // namespace

std::vector<Group> collective_groups(const std::filesystem::path& measurements) {
    std::vector<Group> groups;
    add_nccl(groups, read_nccl(measurements));
    add_normal(groups, read_deepep_normal(measurements));
    add_low_latency(groups, read_deepep_low_latency(measurements));
    add_readme(groups, read_readme_normal(measurements), read_readme_low_latency(measurements));
    return groups;
}

}  // namespace moesim
