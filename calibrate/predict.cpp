#include "calibrate/predict.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>

#include "calibrate/expert_loads.hpp"
#include "calibrate/uniform_call.hpp"
#include "cost/expert_kernel.hpp"
#include "cost/roofline.hpp"

namespace moesim {
namespace {

Prediction because(std::string reason) { return {std::nullopt, std::move(reason)}; }

std::optional<Dtype> dtype_of(const std::string& name) {
    for (const char* n : {"bfloat16", "bf16", "float16", "half", "fp16"})
        if (name == n) return Dtype::bf16;
    for (const char* n : {"fp8", "fp8_block", "fp8_e4m3"})
        if (name == n) return Dtype::fp8;
    return std::nullopt;
}

Prediction predict_call(const Profile& profile, const NcclRow& row) {
    if (row.op != "alltoall") return because(fmt::format("no law for {}, only for alltoall", row.op));
    if (!profile.collectives.nccl) return because("the profile has no collectives.nccl");
    if (row.ranks > 8)
        return because("the profile's collectives.nccl are those of one node, the call has more than 8 GPUs");
    if (row.ranks < 2) return because("a call of one GPU moves nothing between GPUs");
    return {predict_nccl(profile, {"", "", static_cast<std::size_t>(row.ranks), row.bytes, Seconds{}}), ""};
}

template <class Phase>
std::string lacks(const std::optional<BothWays<Phase>>& both, const char* name, bool across) {
    if (!both) return fmt::format("the profile has no collectives.{}", name);
    if (across && !(both->dispatch.nodes && both->combine.nodes))
        return fmt::format("the profile's collectives.{} are those of one node", name);
    return {};
}

Prediction predict_call(const Profile& profile, const DeepEpRow& row) {
    const CollectivesProfile& c = profile.collectives;
    const bool across = row.call.nodes > 1;
    const std::string missing = row.low_latency ? lacks(c.deepep_low_latency, "deepep_low_latency", across)
                                                : lacks(c.deepep_normal, "deepep_normal", across);
    if (!missing.empty()) return because(missing);
    if (row.call.experts < row.call.ranks()) return because("fewer experts than GPUs");
    if (row.call.ranks() > 2048) return because("more than 2048 GPUs");
    return {row.low_latency ? predict_deepep_low_latency(profile, row.call) : predict_deepep_normal(profile, row.call),
            ""};
}

Prediction predict_call(const Profile& profile, const ExpertRow& row) {
    if (!dtype_of(row.dtype)) return because(fmt::format("no costs for the data type {}", row.dtype));
    const std::string name = kernel_name(row);
    const ExpertKernel* kernel = profile.experts.find(name);
    if (kernel == nullptr) return because(fmt::format("the profile has no kernel \"{}\" for experts", name));
    if (row.loads.balanced) return {predict_experts(*kernel, row, balanced_loads(row)), ""};
    Seconds sum;
    for (std::uint64_t draw = 0; draw < skewed_draws; ++draw)
        sum += predict_experts(*kernel, row, power_law_loads(row, draw));
    return {sum * (1.0 / static_cast<double>(skewed_draws)), ""};
}

Prediction predict_call(const Profile& profile, const GemmRow& row) {
    const auto dtype = dtype_of(row.dtype);
    if (!dtype || !profile.peak(*dtype)) return because(fmt::format("the profile has no peak for {}", row.dtype));
    return {Roofline(profile).dense(*dtype, row.m, row.n, row.k), ""};
}

Prediction predict_call(const Profile& profile, const GroupedGemmRow& row) {
    const auto dtype = dtype_of(row.dtype);
    if (!dtype || !profile.peak(*dtype)) return because(fmt::format("the profile has no peak for {}", row.dtype));
    const std::vector<std::int64_t> rows(static_cast<std::size_t>(row.groups), row.m);
    return {Roofline(profile).matmul(profile.grouped, *dtype, rows, row.n, row.k), ""};
}

}  // namespace

std::string gpu_of(const std::string& device) {
    std::string word;
    for (std::size_t i = 0; i <= device.size(); ++i) {
        const auto c = static_cast<unsigned char>(i < device.size() ? device[i] : ' ');
        if (std::isalnum(c) != 0) {
            word += static_cast<char>(std::toupper(c));
            continue;
        }
        // A letter or two, then figures, then nothing or a letter: V100, A100, L40S, GB200; not 80GB, HBM3 or SXM4.
        std::size_t letters = 0, figures = 0;
        while (letters < word.size() && std::isalpha(static_cast<unsigned char>(word[letters])) != 0) ++letters;
        while (letters + figures < word.size() &&
               std::isdigit(static_cast<unsigned char>(word[letters + figures])) != 0)
            ++figures;
        const std::size_t rest = word.size() - letters - figures;
        if (letters >= 1 && letters <= 2 && figures >= 1 && rest <= 1) return word;
        word.clear();
    }
    return {};
}

std::string kernel_name(const ExpertRow& row) {
    const auto dtype = dtype_of(row.dtype);
    if (!dtype || row.dtype == "fp8") return {};  // scales for a whole matrix: other tiles than with one for each block
    std::string name = row.framework;
    if (row.op == "moe_context") name += "-context";
    if (row.op == "moe_generation") name += "-generation";
    return fmt::format("{}-{}", name, moesim::name(*dtype));
}

Seconds predict_experts(const ExpertKernel& kernel, const ExpertRow& row, const std::vector<std::int64_t>& rows) {
    // vLLM's kernel is given all tokens of the group, and skips other ranks' experts; DeepEP hands over own rows only.
    double all = static_cast<double>(row.tokens * row.top_k);
    std::int64_t tokens = row.tokens;
    if (row.op != "moe") {
        all = 0;
        for (const std::int64_t n : rows) all += static_cast<double>(n);
        tokens = static_cast<std::int64_t>(all);
    }
    return expert_kernel_time(kernel,
                              {row.hidden, row.inner / row.tensor, true, tokens, row.experts / row.ranks, all, rows});
}

Prediction predict(const Profile& profile, const MeasuredRow& row) {
    const std::string gpu = gpu_of(row.device),
                      own = gpu_of(profile.name).empty() ? gpu_of(profile.device) : gpu_of(profile.name);
    if (!gpu.empty() && !own.empty() && gpu != own)
        return because(fmt::format("measured on {}, the profile is of {}", gpu, own));
    return std::visit([&](const auto& call) { return predict_call(profile, call); }, row.call);
}

}  // namespace moesim
