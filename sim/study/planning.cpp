#include "study/planning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <sstream>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "config/trace/read_trace.hpp"
#include "config/trace/write_trace.hpp"
#include "cost/stage_cost.hpp"
#include "engine/memory_layout.hpp"
#include "network/message.hpp"
#include "placement/document.hpp"
#include "study/routing_of.hpp"
#include "topology/fabric.hpp"
#include "traffic/grid.hpp"

namespace moesim {
namespace {

// Of as many layers as the scenario's model has, and not more experts. Throws InputError elsewhere.
RoutingTrace read_routing(const std::string& file, const Scenario& s) {
    RoutingTrace trace = read_token_trace(file);
    const auto layers = static_cast<std::size_t>(s.model.moe_layers);
    const auto experts = static_cast<std::size_t>(s.model.experts);
    if (trace.layers != layers || trace.experts > experts)
        throw InputError(fmt::format("{}: found {} layers of {} experts, expected {} of {}, the scenario's model", file,
                                     trace.layers, trace.experts, layers, experts));
    trace.experts = experts;
    return trace;
}

// Whether what is learned from is not the very routing that is judged: that one is learned from by halves, whoever
// names it.
bool learns_elsewhere(const Scenario& s, const PlanningOptions& o) {
    if (o.learn.empty()) return false;
    std::error_code missing;
    return s.routing.policy != Policy::trace || !std::filesystem::equivalent(o.learn, s.routing.trace, missing);
}

// Tokens of the scenario's own routing, first ones first.
Scenario first_tokens(const Scenario& s, std::int64_t tokens) {
    Scenario part = s;
    part.batch.sequences = std::max<std::int64_t>(1, tokens / s.batch.tokens_per_sequence);
    part.schedule.micro_batches = 1;
    return part;
}

RoutingTrace learned_from(const Scenario& s, const std::string& origin, const PlanningOptions& o) {
    if (learns_elsewhere(s, o)) return read_routing(o.learn, s);
    if (s.routing.policy != Policy::trace) return record(first_tokens(s, o.tokens), origin, {});
    return every_second_block(read_routing(s.routing.trace, s), learned_block, false);
}

Positions positions_of(const Scenario& s) {
    const Fabric fabric = build_fabric(s.topology);
    const RankGrid grid(s.parallelism);
    const MessageModel messages(fabric, s.profile);
    Positions p;
    std::map<NodeId, std::uint32_t> nodes;
    std::vector<RankId> ranks;
    for (std::size_t d = 0; d < grid.expert(); ++d) {
        ranks.push_back(grid.rank(d, 0));
        p.node.push_back(
            nodes.try_emplace(fabric.node_of(ranks.back()), static_cast<std::uint32_t>(nodes.size())).first->second);
    }
    p.seconds_per_byte = Matrix<double>(ranks.size(), ranks.size());
    for (std::size_t a = 0; a < ranks.size(); ++a)
        for (std::size_t b = 0; b < ranks.size(); ++b)
            if (a != b) p.seconds_per_byte(a, b) = 1 / messages.narrowest(fabric.route(ranks[a], ranks[b])).value();
    return p;
}

std::string write_routing(const RoutingTrace& trace, const std::string& folder, const std::string& name) {
    const auto file = std::filesystem::absolute(std::filesystem::path(folder) / name);
    std::ostringstream content;
    write_npy_trace(content, trace);
    write_file(file, content.str());
    return file.string();
}

Scenario replaying(const Scenario& s, const RoutingTrace& trace, const std::string& folder, const std::string& name) {
    Scenario replay = s;
    if (s.routing.policy != Policy::trace) {
        replay.routing = RoutingSpec{};
        replay.routing.policy = Policy::trace;
    }
    replay.routing.trace = write_routing(trace, folder, name);
    return replay;
}

RoutingTrace trace_to_judge(const Scenario& s, const std::string& origin, const PlanningOptions& o) {
    RoutingTrace trace = read_routing(s.routing.trace, s);
    if (!learns_elsewhere(s, o)) trace = every_second_block(trace, learned_block, true);
    if (trace.tokens == 0)
        throw InputError(
            fmt::format("{}: $.routing.trace: found fewer than {} tokens, expected some to learn from "
                        "and as many to judge by",
                        origin, 2 * learned_block));
    return trace;
}

// Batches that follow each other, from a token on.
std::vector<Scenario> following_batches(const Scenario& s, std::int64_t first_token, std::size_t batches) {
    std::vector<Scenario> all(batches, s);
    for (std::size_t b = 0; b < batches; ++b)
        all[b].batch.first_token = first_token + static_cast<std::int64_t>(b) * s.batch.tokens();
    return all;
}

// Of a layer, on each position.
std::size_t slots_of(const Scenario& s, const PlanningOptions& o) {
    const std::size_t copies = static_cast<std::size_t>(s.model.experts) + o.redundant;
    const auto positions = static_cast<std::size_t>(s.parallelism.expert);
    if (o.redundant > 0 && copies % positions != 0)
        throw InputError(
            fmt::format("redundant copies: found {} beside {} experts, expected them to fill {} GPUs evenly",
                        o.redundant, s.model.experts, positions));
    return (copies + positions - 1) / positions;
}

}  // namespace

PlannerProblem planner_problem(const Scenario& s, const PlanningOptions& o, RoutingTrace learned) {
    PlannerProblem p;
    p.slots = slots_of(s, o);
    p.positions = positions_of(s);
    p.expert_bytes = Bytes(feed_forward_bytes(s.model, s.model.expert_ffn, s.parallelism.tensor));
    p.memory = std::max(Bytes{}, s.profile.memory_capacity.value - memory_besides_experts(s));
    p.workload = workload_counts(std::make_shared<const RoutingTrace>(std::move(learned)));
    return p;
}

PlannerProblem planner_problem(const Scenario& s, const std::string& origin, const PlanningOptions& o) {
    (void)slots_of(s, o);  // before the work
    return planner_problem(s, o, learned_from(s, origin, o));
}

MethodOptions method_options(const Scenario& s, MethodOptions o) {
    const std::int64_t groups = s.parallelism.data / s.parallelism.expert;
    const std::int64_t tokens = s.batch.tokens() / (groups * s.schedule.micro_batches);
    o.batch_tokens = static_cast<double>(tokens);
    o.scenario = std::make_shared<const Scenario>(s);
    o.row = Bytes(s.model.hidden * bytes_of(s.dispatch.dtype));
    // Of an expert that gets its even share of a batch.
    const std::int64_t rows = std::max<std::int64_t>(1, tokens * s.model.top_k / s.model.experts);
    o.token_time = StageCost(s).expert(std::array{rows}) * (1.0 / static_cast<double>(rows));
    return o;
}

std::vector<Scenario> learned_batches(const Scenario& s, const std::string& origin, const PlanningOptions& o,
                                      std::size_t most, const std::string& folder) {
    Scenario first = s;
    std::int64_t tokens = first_tokens(s, o.tokens).batch.tokens();
    if (s.routing.policy == Policy::trace || learns_elsewhere(s, o)) {
        const RoutingTrace trace = learned_from(s, origin, o);
        tokens = static_cast<std::int64_t>(trace.tokens);
        first = replaying(s, trace, folder, "learned.npy");
        first.batch.first_token = 0;
    }
    const std::int64_t batches =
        std::clamp<std::int64_t>(tokens / s.batch.tokens(), 1, static_cast<std::int64_t>(most));
    return following_batches(first, first.batch.first_token, static_cast<std::size_t>(batches));
}

std::optional<std::int64_t> recorded_to_judge(const Scenario& s, const std::string& origin, const PlanningOptions& o) {
    if (s.routing.policy != Policy::trace) return std::nullopt;
    return static_cast<std::int64_t>(trace_to_judge(s, origin, o).tokens);
}

std::vector<Scenario> judged_batches(const Scenario& s, const std::string& origin, const PlanningOptions& o,
                                     std::size_t batches, const std::string& folder) {
    if (s.routing.policy == Policy::trace)
        return following_batches(replaying(s, trace_to_judge(s, origin, o), folder, "judged.npy"), 0, batches);
    const bool elsewhere = learns_elsewhere(s, o);
    // A batch that is learned from may have more tokens than a planner looks at.
    const std::int64_t learned = elsewhere ? 0 : std::max(first_tokens(s, o.tokens).batch.tokens(), s.batch.tokens());
    return following_batches(s, s.batch.first_token + learned, batches);
}

PlacementDocument planned_document(const PlannerResult& result, const PlannerMethod& method, const Scenario& scenario,
                                   const std::string& origin, const PlannerProblem& problem,
                                   const PlanningOptions& options) {
    PlacementDocument document = to_document(result.placement, fmt::format("{} for {}", method.name, scenario.name));
    document.method = method.name;
    document.source = fmt::format("learned from {} tokens of {}", problem.workload.tokens,
                                  options.learn.empty() ? origin : options.learn);
    document.objective = PlacementObjective{result.objective, result.value, result.bound};
    return document;
}

}  // namespace moesim
