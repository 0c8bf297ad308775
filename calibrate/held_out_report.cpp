#include "calibrate/held_out_report.hpp"

#include <fmt/format.h>

#include <array>
#include <map>

#include "calibrate/base_profile.hpp"
#include "calibrate/collective_groups.hpp"
#include "calibrate/fit_experts.hpp"
#include "calibrate/tables/read_table.hpp"
#include "config/json_text.hpp"
#include "config/profile.hpp"

namespace moesim {
namespace {

struct Bar {
    double median, p90;
};

void add(std::vector<HeldOut>& all, HeldOut line, std::optional<Bar> bar) {
    if (bar) line.median_bar = bar->median, line.p90_bar = bar->p90;
    if (line.errors.n > 0) all.push_back(std::move(line));
}

std::optional<Bar> bar_of(const std::string& group, bool large) {
    const auto has = [&](const char* piece) { return group.find(piece) != group.npos; };
    if (has("older release") || has("2.23") || has("8 experts")) return std::nullopt;
    if (has("NVLink")) return large ? Bar{0.05, 0.12} : Bar{0.05, 0.15};
    if (has("PCIe")) return Bar{0.15, 0.30};
    if (has("normal dispatch, one node")) return Bar{0.05, 0.12};
    if (has("normal combine, one node")) return Bar{0.06, 0.15};
    if (has("low-latency") && has("one node")) return Bar{0.05, 0.10};
    if (has("low-latency") && has("README")) return Bar{0.05, 0.12};
    return std::nullopt;
}

void add_collectives(std::vector<HeldOut>& all, const std::filesystem::path& measurements) {
    for (const Group& g : collective_groups(measurements)) {
        const Profile profile = base_profile(gpu_of(g.machine));
        std::vector<double> errors, large;
        for (const GroupSample& s : g.samples) {
            if (s.fitted) continue;
            errors.push_back(s.sample.predict(profile) / s.sample.measured - 1);
            if (s.large) large.push_back(errors.back());
        }
        add(all, {g.machine, g.name, g.held_out, summary(errors), {}, {}}, bar_of(g.name, false));
        add(all, {g.machine, g.name, g.held_out + ", 1 MiB and more", summary(large), {}, {}}, bar_of(g.name, true));
    }
}

using Samples = std::vector<ExpertSample>;

std::vector<double> errors_of(const ExpertKernel& kernel, const Samples& samples) {
    std::vector<double> errors;
    for (const ExpertSample& s : samples) errors.push_back(predict_sample(kernel, s) / s.measured - 1);
    return errors;
}

void add_kernel(std::vector<HeldOut>& all, const Profile& base, const std::string& name, const Samples& even,
                const Samples& skewed) {
    const Samples& fitted = even.empty() ? skewed : even;
    const Dtype dtype = name.substr(name.rfind('-') + 1) == "fp8" ? Dtype::fp8 : Dtype::bf16;
    const std::string framework = fitted.front().row.framework;
    const auto kernel = fitted_expert_kernel(name, framework, dtype, base, fitted, "not stated", "not stated");
    if (!kernel) return;
    const FitRecord& f = *kernel->fit;
    const std::string what = "experts " + name;
    const ErrorSummary of_shapes{static_cast<std::size_t>(f.held_out), f.median, f.p90, f.worst, 0};
    if (even.empty()) {
        add(all, {base.name, what + ", power law", "model shapes in turn, fit to skewed loads", of_shapes, {}, {}},
            Bar{0.06, 0.15});
        return;
    }
    add(all, {base.name, what + ", balanced", "model shapes in turn", of_shapes, {}, {}}, Bar{0.05, 0.12});
    add(all, {base.name, what + ", power law", "all skewed loads", summary(errors_of(*kernel, skewed)), {}, {}},
        Bar{0.06, 0.15});
}

void add_experts(std::vector<HeldOut>& all, const std::filesystem::path& measurements) {
    // By machine and kernel.
    std::map<std::string, std::map<std::string, std::array<Samples, 2>>> samples;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(measurements / "moe", none)) {
        if (entry.path().extension() != ".csv") continue;
        for (const MeasuredRow& row : read_table(entry.path()).rows) {
            const auto* call = std::get_if<ExpertRow>(&row.call);
            if (call == nullptr || kernel_name(*call).empty()) continue;
            samples[gpu_of(row.device)][kernel_name(*call)][call->loads.balanced ? 0 : 1].push_back(
                expert_sample(*call, row.measured, skewed_draws));
        }
    }
    for (const auto& [gpu, kernels] : samples) {
        const Profile base = base_profile(gpu);
        for (const auto& [name, both] : kernels) add_kernel(all, base, name, both[0], both[1]);
    }
}

}  // namespace

std::vector<HeldOut> held_out_report(const std::filesystem::path& measurements) {
    std::vector<HeldOut> all;
    add_collectives(all, measurements);
    add_experts(all, measurements);
    return all;
}

std::string text_of(const std::vector<HeldOut>& report) {
    std::string text = fmt::format("{:9} {:52} {:42} {:>5}  {:>6} {:>6} {:>7}   {:>11}\n", "machine", "operation",
                                   "held out", "n", "median", "p90", "worst", "bar");
    for (const HeldOut& h : report) {
        const std::string bar = h.median_bar ? fmt::format("{:.0f} / {:.0f} {}", 100 * *h.median_bar, 100 * *h.p90_bar,
                                                           h.met() ? "met" : "MISSED")
                                             : "";
        text += fmt::format("{:9} {:52} {:42} {:5}  {:5.1f}% {:5.1f}% {:6.1f}%   {:>11}\n", h.machine, h.what,
                            h.held_out, h.errors.n, 100 * h.errors.median, 100 * h.errors.p90, 100 * h.errors.max, bar);
    }
    return text;
}

}  // namespace moesim
