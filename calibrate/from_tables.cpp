#include "calibrate/from_tables.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/error.hpp"
#include "calibrate/collective_figures.hpp"
#include "calibrate/fit_experts.hpp"
#include "calibrate/predict.hpp"
#include "calibrate/uniform_call.hpp"

namespace moesim {
namespace {

// With fewer calls than this for each figure, figures stay as they are.
constexpr std::size_t calls_a_figure = 2;

struct Row {
    const MeasuredRow* row = nullptr;
    const std::string* file = nullptr;
};

// 2, 27, 3 of "nccl-2.27.3".
std::vector<std::int64_t> numbers_of(const std::string& version) {
    std::vector<std::int64_t> all;
    for (std::size_t i = 0; i < version.size();) {
        std::int64_t v = 0;
        const auto [end, error] = std::from_chars(version.data() + i, version.data() + version.size(), v);
        if (error == std::errc() && v >= 0) {
            all.push_back(v);
            i = static_cast<std::size_t>(end - version.data());
        } else {
            ++i;
        }
    }
    return all;
}

// Releases of one generation: the first two numbers that differ, differ by at most three, and not in the first place.
bool close(const std::vector<std::int64_t>& newest, const std::vector<std::int64_t>& other) {
    for (std::size_t i = 0; i < std::min(newest.size(), other.size()); ++i)
        if (newest[i] != other[i]) return i > 0 && newest[i] - other[i] <= 3;
    return true;
}

std::vector<Row> newest(const std::vector<Row>& rows) {
    std::vector<std::int64_t> latest;
    for (const Row& r : rows) latest = std::max(latest, numbers_of(r.row->version));
    std::vector<Row> kept;
    for (const Row& r : rows)
        if (close(latest, numbers_of(r.row->version))) kept.push_back(r);
    return kept;
}

// "nccl.csv (nccl-2.27.3, nccl-2.29.2)"
std::string described(const std::vector<Row>& rows) {
    std::set<std::string> files, versions, devices;
    for (const Row& r : rows) {
        files.insert(r.file->substr(r.file->rfind('/') + 1));
        if (!r.row->version.empty()) versions.insert(r.row->version);
        if (!r.row->device.empty()) devices.insert(r.row->device);
    }
    return fmt::format("{}; {}; {}; driver not stated",
                       devices.empty() ? "device not stated" : fmt::format("{}", fmt::join(devices, ", ")),
                       versions.empty() ? "version not stated" : fmt::format("{}", fmt::join(versions, ", ")),
                       fmt::join(files, ", "));
}

class Fit {
  public:
    Fit(const Profile& base, const std::vector<MeasuredTable>& tables, std::string date)
        : result_{base, {}}, gpu_(gpu_of(base.name)), date_(std::move(date)) {
        for (const MeasuredTable& t : tables)
            for (const MeasuredRow& r : t.rows)
                if (gpu_of(r.device).empty() || gpu_.empty() || gpu_of(r.device) == gpu_)
                    rows_.push_back({&r, &t.file});
        if (rows_.empty()) throw InputError(fmt::format("found no row measured on {}, expected some to fit to", gpu_));
    }

    FromTables run() {
        fit_nccl();
        for (const bool combine : {false, true}) {
            fit_deepep(false, combine);
            fit_deepep(true, combine);
        }
        fit_experts();
        note_others();
        if (!fitted_) {
            std::string why;
            for (const FitNote& n : result_.notes) why += "; " + n.what;
            throw InputError("found nothing that could be fitted, expected timed all-to-alls or experts" + why);
        }
        return std::move(result_);
    }

  private:
    template <class Call, class Take>
    std::vector<Row> chosen(Take take) const {
        std::vector<Row> all;
        for (const Row& r : rows_)
            if (const auto* call = std::get_if<Call>(&r.row->call); call != nullptr && take(*call)) all.push_back(r);
        return all;
    }

    void left_out(std::string what) { result_.notes.push_back({std::move(what), true}); }

    void fit_figures(const std::string& part, const std::vector<Figure>& figures, const std::vector<Row>& rows,
                     double scale) {
        std::vector<Sample> samples;
        for (const Row& r : rows) {
            if (!predict(result_.profile, *r.row).time) continue;
            samples.push_back({[row = r.row](const Profile& p) { return predict(p, *row).time.value().value(); },
                               r.row->measured.value()});
        }
        if (samples.size() < calls_a_figure * figures.size())
            return left_out(
                fmt::format("{}: {} calls are too few for {} figures", part, samples.size(), figures.size()));
        fit(result_.profile, figures, samples, scale);
        for (const Figure& f : figures)
            f.set_source(result_.profile, fmt::format("{}: fitted to {} calls on {}, with the others of its part.",
                                                      described(rows), samples.size(), date_));
        fitted_ = true;
        result_.notes.push_back(
            {fmt::format("{}: {} figures fitted to {} calls", part, figures.size(), samples.size())});
    }

    void fit_nccl() {
        const std::vector<Row> rows = newest(chosen<NcclRow>([](const NcclRow& r) { return r.op == "alltoall"; }));
        if (rows.empty()) return;
        if (!result_.profile.collectives.nccl)
            return left_out("collectives.nccl: the base profile has none to start from");
        const bool bridge = result_.profile.collectives.nccl->host_bridge.has_value();
        fit_figures("collectives.nccl", nccl_figures(bridge), rows, bridge ? 0.1 : 0.03);
    }

    void fit_deepep(bool low_latency, bool combine) {
        const auto fit_part = [&](const std::string& name, const std::vector<Figure>& figures, auto take) {
            const std::vector<Row> rows = newest(chosen<DeepEpRow>([&](const DeepEpRow& r) {
                return r.low_latency == low_latency && r.call.combine == combine && take(r.call);
            }));
            if (!rows.empty()) fit_figures(name, figures, rows, 0.1);
        };
        const std::string part = fmt::format("collectives.deepep_{}.{}", low_latency ? "low_latency" : "normal",
                                             combine ? "combine" : "dispatch");
        const CollectivesProfile& c = result_.profile.collectives;
        const bool there = low_latency ? c.deepep_low_latency.has_value() : c.deepep_normal.has_value();
        if (!there) {
            if (!chosen<DeepEpRow>([&](const DeepEpRow& r) {
                     return r.low_latency == low_latency && r.call.combine == combine;
                 }).empty())
                left_out(part + ": the base profile has none to start from");
            return;
        }
        const auto inside = [](const DeepEpCall& d) { return d.nodes == 1; };
        const auto across = [](const DeepEpCall& d) { return d.nodes > 1; };
        if (!low_latency) {
            fit_part(part, normal_figures(combine, false), inside);
            fit_part(part + ".nodes", normal_figures(combine, true), across);
            return;
        }
        constexpr std::int64_t many = 128;  // below, single experts bound the rate
        fit_part(part, low_latency_figures(combine, LowLatencyPart::inside),
                 [&](const DeepEpCall& d) { return inside(d) && d.experts >= many; });
        fit_part(part + ".expert_rate", low_latency_figures(combine, LowLatencyPart::few_experts),
                 [&](const DeepEpCall& d) { return inside(d) && d.experts < many; });
        fit_part(part + ".nodes", low_latency_figures(combine, LowLatencyPart::nodes), across);
    }

    void fit_experts() {
        std::map<std::string, std::vector<Row>> kernels;
        for (const Row& r : chosen<ExpertRow>([](const ExpertRow&) { return true; }))
            kernels[kernel_name(std::get<ExpertRow>(r.row->call))].push_back(r);
        for (const auto& [name, all] : kernels) {
            if (name.empty()) {
                left_out(fmt::format("experts: {} rows of data types that moesim has no costs for", all.size()));
                continue;
            }
            fit_kernel(name, newest(all));
        }
    }

    void fit_kernel(const std::string& name, const std::vector<Row>& all) {
        const Dtype dtype = name.substr(name.rfind('-') + 1) == "fp8" ? Dtype::fp8 : Dtype::bf16;
        if (!result_.profile.peak(dtype))
            return left_out(fmt::format("experts {}: the base profile has no peak for it", name));
        std::vector<Row> even, skewed;
        for (const Row& r : all) (std::get<ExpertRow>(r.row->call).loads.balanced ? even : skewed).push_back(r);
        const std::vector<Row>& rows = even.empty() ? skewed : even;
        std::vector<ExpertSample> samples;
        samples.reserve(rows.size());
        for (const Row& r : rows)
            samples.push_back(expert_sample(std::get<ExpertRow>(r.row->call), r.row->measured, skewed_draws));
        const std::string framework = std::get<ExpertRow>(rows.front().row->call).framework;
        const std::string origin = described(rows);
        auto kernel = fitted_expert_kernel(name, framework, dtype, result_.profile, samples, origin, date_);
        if (!kernel) return left_out(fmt::format("experts {}: {} calls are too few", name, samples.size()));
        const std::string source =
            fmt::format("{}: fitted to {} calls with {} loads on {}, with the others of the kernel.", origin,
                        samples.size(), even.empty() ? "skewed" : "even", date_);
        kernel->launch.source = kernel->step.source = kernel->far_step.source = kernel->tile_rate.source = source;
        kernel->row_rate.source = kernel->weight_rate.source = kernel->element_rate.source = source;
        kernel->cache.source = kernel->cache_gain.source = kernel->overlap.source = source;
        kernel->slowdown.source = kernel->slowdown_time.source = kernel->choice_time.source = source;
        kernel->work_overlap.source = kernel->element_slowdown.source = kernel->element_span.source = source;
        const FitRecord& f = *kernel->fit;
        const std::string held_out =
            f.held_out == 0 ? "all of one model shape, so none was held out"
                            : fmt::format("held-out model shapes: median {:.1f}%, p90 {:.1f}%, worst {:.1f}% of {}",
                                          100 * f.median, 100 * f.p90, 100 * f.worst, f.held_out);
        result_.notes.push_back(
            {fmt::format("experts {}: {} figures fitted to {} calls; {}", name, expert_figures, f.rows, held_out)});
        ExpertsProfile& e = result_.profile.experts;
        e.kernels.erase(
            std::remove_if(e.kernels.begin(), e.kernels.end(), [&](const ExpertKernel& k) { return k.name == name; }),
            e.kernels.end());
        e.kernels.push_back(std::move(*kernel));
        std::string& stage = dtype == Dtype::fp8 ? e.fp8 : e.bf16;
        const ExpertKernel* current = e.find(stage);
        if (current == nullptr || !current->fit || current->fit->rows < e.kernels.back().fit->rows) stage = name;
        fitted_ = true;
    }

    void note_others() {
        std::map<std::string, std::size_t> others;
        for (const Row& r : rows_) {
            if (const auto* n = std::get_if<NcclRow>(&r.row->call); n != nullptr && n->op != "alltoall")
                ++others["nccl " + n->op];
            if (std::holds_alternative<GemmRow>(r.row->call)) ++others["gemm"];
            if (std::holds_alternative<GroupedGemmRow>(r.row->call)) ++others["grouped products"];
        }
        for (const auto& [what, n] : others)
            left_out(fmt::format("{}: {} rows, which no figure is fitted to", what, n));
    }

    FromTables result_;
    std::string gpu_, date_;
    std::vector<Row> rows_;
    bool fitted_ = false;
};

}  // namespace

std::vector<std::string> gpus_in(const std::vector<MeasuredTable>& tables) {
    std::set<std::string> all;
    for (const MeasuredTable& t : tables)
        for (const MeasuredRow& r : t.rows)
            if (const std::string gpu = gpu_of(r.device); !gpu.empty()) all.insert(gpu);
    return {all.begin(), all.end()};
}

FromTables fit_tables(const Profile& base, const std::vector<MeasuredTable>& tables, const std::string& date) {
    return Fit(base, tables, date).run();
}

}  // namespace moesim
