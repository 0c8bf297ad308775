#include "engine/simulate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "engine/jitter.hpp"
#include "engine/pipeline.hpp"

namespace moesim {
namespace {

// A slower kind of GPU is one from the start to the end; what slows a straggler comes on top of it.
std::vector<SpeedChange> speed_changes(const std::vector<StragglerSpec>& stragglers, const Fabric& fabric) {
    std::vector<SpeedChange> changes;
    for (std::size_t r = 0; r < fabric.ranks(); ++r)
        if (fabric.speed(RankId(r)) != 1.0) changes.push_back({RankId(r), Seconds(0), fabric.speed(RankId(r))});
    for (const StragglerSpec& s : stragglers) {
        changes.push_back({s.rank, s.from, s.speed * fabric.speed(s.rank)});
        if (s.until) changes.push_back({s.rank, *s.until, fabric.speed(s.rank)});
    }
    // Where one slowdown ends as the next one starts, the start counts: it comes later in the list.
    std::stable_sort(changes.begin(), changes.end(), [](const SpeedChange& a, const SpeedChange& b) {
        return a.at != b.at ? a.at < b.at : a.speed > b.speed;
    });
    return changes;
}

void check_memory(const Result& result) {
    const auto fullest = std::max_element(result.memory.begin(), result.memory.end(),
                                          [](const auto& a, const auto& b) { return a.total() < b.total(); });
    const Profile& profile = result.plan.scenario.profile;
    if (fullest->total() <= profile.memory_capacity.value) return;
    const auto gib = [](Bytes b) { return b.as_double() / (1 << 30); };
    std::string parts;
    for (const auto& [name, bytes] : fullest->parts())
        parts += fmt::format("{}{} {:.2f}", parts.empty() ? "" : ", ", name, gib(bytes));
    throw InputError(
        fmt::format("{}: $.model: found {:.2f} GiB of memory needed on rank {} ({}), expected at most "
                    "{:.2f} GiB, the memory of profile \"{}\"",
                    result.plan.origin, gib(fullest->total()), fullest - result.memory.begin(), parts,
                    gib(profile.memory_capacity.value), profile.name));
}

// Which transfer, where and when.
std::string what_stalled(const Result& r, const StalledTransfer& t) {
    const Task& task = r.graph.tasks()[t.token];
    return fmt::format(
        "{}: a transfer of {} in layer {} from rank {} to rank {} ({} bytes) stood still from {:.9g} s to "
        "{:.9g} s (network.faults.time_out), since link {} has failed",
        r.plan.origin, name(task.label.stage), task.label.layer, t.from.value(), t.to.value(), task.bytes.value(),
        t.since.value(), t.now.value(), r.plan.fabric.link(t.link).name);
}

std::shared_ptr<const Ways> ways_of(const Plan& plan) {
    const RankGrid grid(plan.scenario.parallelism);
    const auto limits = [&](Direction d) { return make_library_call(plan.scenario, d, grid, plan.fabric); };
    const auto dispatch = limits(Direction::dispatch), return_ = limits(Direction::return_);
    const Profile& profile = plan.scenario.profile;
    if (!dispatch) return std::make_shared<const Ways>(plan.fabric, profile);
    return std::make_shared<const Ways>(plan.fabric, profile, dispatch->limits(), return_->limits());
}

}  // namespace

Result plan_tasks(Plan plan, const Progress& progress) {
    Result result(std::move(plan));
    result.ways = ways_of(result.plan);
    result.plan.fabric = result.ways->fabric(Way::cluster);
    Pipeline(result).build(progress);
    check_memory(result);
    return result;
}

Result simulate(Plan plan, const Progress& progress) {
    Result result = plan_tasks(std::move(plan), progress);
    if (result.plan.scenario.network.jitter)
        add_jitter(result.graph, result.plan.fabric, result.ways->model(Way::cluster), result.plan.scenario.seed);
    const OnProgress on_progress = [&](double share) {
        if (progress) progress("simulating", share);
    };
    const Scenario& s = result.plan.scenario;
    const Fabric& fabric = result.plan.fabric;
    TaskTimes times = run_tasks(result.graph, *result.ways, s.network,
                                {speed_changes(s.stragglers, fabric), s.shared_cores}, on_progress);
    result.times = std::move(times.tasks);
    result.network = times.network;
    if (times.network.stalled) throw CheckFailed(what_stalled(result, *times.network.stalled));
    return result;
}

}  // namespace moesim
