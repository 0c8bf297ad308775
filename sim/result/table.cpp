#include "result/table.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "base/version.hpp"
#include "config/placement_document.hpp"
#include "result/human.hpp"

namespace moesim {
namespace {

class Text {
  public:
    template <class... Args>
    void line(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
        text_ += '\n';
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

// Where the popularity of experts comes from, in a few words.
struct Skew {
    std::string operator()(const ZipfSpec& z) const { return fmt::format("Zipf {}", z.exponent); }
    std::string operator()(const DirichletSpec& d) const { return fmt::format("Dirichlet {}", d.concentration); }
    std::string operator()(const PowerLawSpec& p) const { return fmt::format("power law {}", p.exponent); }
    std::string operator()(const LogNormalSpec& l) const { return fmt::format("log-normal {}", l.sigma); }
    std::string operator()(const WeightsSpec&) const { return "given weights"; }
};

std::string skew(const RoutingSpec& routing) {
    if (routing.policy == Policy::trace) return fmt::format(" ({})", routing.trace);
    if (!has_gate(routing.policy)) return {};
    if (routing.model) return fmt::format(" (like {})", routing.model->name);
    return fmt::format(" ({})", std::visit(Skew{}, routing.popularity.base));
}

// Where experts are, and, where some have several copies, how many there are and which one a token takes.
std::string placement(const PlacementSpec& spec, const Placement& p) {
    if (!spec.document) return spec.method == PlacementMethod::contiguous ? "contiguous" : "round-robin";
    if (!p.replicated()) return spec.document->name;
    double copies = 0;
    for (std::size_t at = 0; at < p.positions(); ++at) copies += static_cast<double>(p.experts_at(at));
    return fmt::format("{} ({:.3g} copies an expert, {})", spec.document->name,
                       copies / static_cast<double>(p.layers() * p.experts()),
                       spec.replicas == ReplicaPolicy::locality ? "the nearest" : "in turn");
}

void head(Text& out, const Result& r, const Metrics& m) {
    const Scenario& s = r.plan.scenario;
    out.line("{}", s.name);
    out.line("  {} in {} ({}), profile {}", counted(s.topology.gpus(), "GPU"), counted(s.topology.nodes, "node"),
             s.topology.name, s.profile.name);
    out.line("  {} ({} of activations), {}, top-{} of {}", counted(m.tokens, "token"),
             human(Bytes(m.tokens * s.model.hidden * 2)), counted(s.model.moe_layers, "MoE layer"), s.model.top_k,
             counted(s.model.experts, "expert"));
    out.line("  {} tokens a data-parallel rank, routing {}{}, placement {}",
             human_count(static_cast<double>(m.tokens) / static_cast<double>(s.parallelism.data)),
             policy_names[static_cast<std::size_t>(s.routing.policy)], skew(s.routing),
             placement(s.placement, r.plan.placement));
    const std::string within =
        s.network.model == NetworkKind::fluid && s.network.tolerance > 0
            ? fmt::format(" (each transfer's end within about {:.2g}% of its duration)", s.network.tolerance * 100)
            : "";
    out.line("  network model {}{}, seed {}, moesim {}", network_names[static_cast<std::size_t>(s.network.model)],
             within, s.seed, version());
    if (s.network.jitter) out.line("  start-ups of messages vary by the profile's quantiles");
    if (!s.network.faults.links.empty())
        out.line("  {} with faults; {} took another way",
                 counted(static_cast<std::int64_t>(s.network.faults.links.size()), "link"),
                 counted(r.network.rerouted, "transfer"));
    out.line("");
    out.line("makespan     {:>10}   {} tokens/s", human(m.makespan), human_count(m.tokens_per_s));
    out.line("");
}

void stages(Text& out, const Metrics& m) {
    out.line("stage          mean/rank   slowest rank      critical path");
    for (std::size_t i = 0; i < stage_count; ++i) {
        const StageMetrics& s = m.stages[i];
        out.line("{:<12} {:>11}   {:>10} #{:<4} {:>10} {:>7}", stage_names[i], human(s.mean), human(s.slowest),
                 s.slowest_rank.value(), human(s.critical_path), human_share(s.critical_path / m.makespan));
    }
    out.line("{:<12} {:>11}   {:>10}       of each GPU's compute stream: {} on average", "idle", human(m.mean_idle),
             human(m.longest_idle), human_share(m.mean_idle / m.makespan));
    out.line(
        "  Stages overlap, so only the critical path adds up to the makespan. Dispatch and return last from a rank's");
    out.line("  first send until all that it sends and gets has arrived: waiting for slower ranks is part of them.");
    out.line("");
}

// The busiest two of each kind: the first of all alone would often be both ends of one GPU's NIC, five times over.
void busiest_links(Text& out, const Result& r, const Metrics& m) {
    std::array<std::size_t, link_class_names.size()> shown = {};
    bool first = true;
    for (const LinkUse& use : m.links) {
        const Link& link = r.plan.fabric.link(use.link);
        if (++shown[static_cast<std::size_t>(link.link_class)] > 2) continue;
        out.line("{:<12} {:<18} {:>10}   {} of what it could carry in the makespan", first ? "busiest" : "", link.name,
                 human(use.bytes), human_share(use.share));
        first = false;
    }
}

void load_and_traffic(Text& out, const Result& r, const Metrics& m) {
    out.line("load         CV {:.3f} over experts, {:.3f} over ranks (mean of the layers)", m.load.experts.cv,
             m.load.ranks.cv);
    out.line("             max/mean {:.3f} over experts, {:.3f} over ranks (worst layer); dropped {}",
             m.load.experts.max_over_mean, m.load.ranks.max_over_mean, human_share(m.load.drop_rate));
    const auto volume = [](const Volume& v) {
        return fmt::format("{} in {} messages", human(v.bytes), human_count(static_cast<double>(v.messages)));
    };
    out.line("traffic      dispatch {}, return {}", volume(r.traffic.dispatch), volume(r.traffic.return_));
    if (r.traffic.tensor.messages > 0) out.line("             tensor-parallel {}", volume(r.traffic.tensor));
    if (r.traffic.context.messages > 0) out.line("             keys and values {}", volume(r.traffic.context));
    out.line("             inside nodes {}, between nodes {}", human(r.traffic.inside_nodes),
             human(r.traffic.between_nodes));
    const auto classes = [&](std::size_t c) {
        return human(r.traffic.dispatch.class_bytes[c] + r.traffic.return_.class_bytes[c]);
    };
    out.line("all-to-all   {}: nvlink {}, nic {}, uplink {}; {} of a rank in {}",
             name(r.plan.scenario.dispatch.algorithm), classes(0), classes(1), classes(2),
             counted(r.traffic.dispatch.calls * (r.launches.dispatch + r.launches.return_), "kernel"),
             counted(r.traffic.dispatch.calls + r.traffic.return_.calls, "call"));
    busiest_links(out, r, m);
    out.line("");
}

void memory(Text& out, const Result& r, const Metrics& m) {
    const MemoryLayout& layout = r.memory[m.fullest_rank.value()];
    const Bytes capacity = r.plan.scenario.profile.memory_capacity.value;
    out.line("memory       rank {}, the fullest: {} of {} ({})", m.fullest_rank.value(), human(layout.total()),
             human(capacity), human_share(layout.total().as_double() / capacity.as_double()));
    for (const auto& [name, bytes] : layout.parts())
        if (bytes > Bytes{}) out.line("             {:<14} {:>10}", name, human(bytes));
}

}  // namespace

std::string table(const Result& result, const Metrics& metrics) {
    Text out;
    head(out, result, metrics);
    stages(out, metrics);
    load_and_traffic(out, result, metrics);
    memory(out, result, metrics);
    return out.take();
}

}  // namespace moesim
