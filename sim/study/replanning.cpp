#include "study/replanning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/as_size.hpp"
#include "base/error.hpp"
#include "placement/document.hpp"
#include "study/run_apart.hpp"
#include "study/workload_steps.hpp"
#include "topology/fabric.hpp"

namespace moesim {
namespace {

using Shared = std::shared_ptr<const Placement>;

void check(const ReplanningOptions& o) {
    check_methods(o.methods);
    if (o.hysteresis && !(*o.hysteresis >= 0 && std::isfinite(*o.hysteresis)))
        throw InputError(fmt::format("hysteresis: found {}, expected 0 or more", *o.hysteresis));
    std::set<std::int64_t> seen;
    for (const std::int64_t n : o.intervals) {
        if (n < 0 || n >= o.steps)
            throw InputError(
                fmt::format("the steps from plan to plan: found {}, expected 0 (never a second one) or "
                            "fewer than the {} steps of the run",
                            n, o.steps));
        if (!seen.insert(n).second)
            throw InputError(fmt::format("the steps from plan to plan: found {} twice, expected each once", n));
    }
    if (o.intervals.empty()) throw InputError("the steps from plan to plan: found none, expected one or more");
}

// A scenario whose files are found from any folder.
Scenario with_absolute_files(Scenario s) {
    if (s.routing.policy == Policy::trace) s.routing.trace = std::filesystem::absolute(s.routing.trace).string();
    return s;
}

// What some steps teach.
struct Lesson {
    Range steps;
    PlannerProblem problem;
    LayerTimeModel model;
    Lesson(Range of, PlannerProblem p, const Scenario& s, const Fabric& fabric)
        : steps(of), problem(std::move(p)), model(problem.workload, s, fabric) {}
    Lesson(const Lesson&) = delete;
    Lesson& operator=(const Lesson&) = delete;
};

// What a method's placements at one interval come to, step by step.
struct Course {
    ReplannedLine line;
    std::vector<Shared> used;  // [step]
    Shared held;
    std::int64_t since = 0;  // the step that the plan of what is held was first used for
};

struct MethodCourses {
    std::string name, failure;
    std::vector<Course> courses;                                    // [interval]
    std::vector<Shared> oracle;                                     // [step]
    std::map<std::pair<std::int64_t, std::int64_t>, Shared> plans;  // [steps learned from]
};

class Planning {
  public:
    Planning(const Scenario& scenario, const std::string& origin, const ReplanningOptions& o)
        : scenario_(scenario), origin_(origin), options_(o), fabric_(build_fabric(scenario.topology)),
          method_(method_options(scenario, o.method)) {
        const std::int64_t most = std::max<std::int64_t>(1, o.planning.tokens / scenario.batch.tokens());
        for (const std::int64_t n : o.intervals) windows_.push_back(learned_steps(0, n, o.steps, most).size());
        warm_up_ = *std::max_element(windows_.begin(), windows_.end());
        for (const std::string& name : o.methods) {
            MethodCourses& m = methods_.emplace_back();
            m.name = name;
            for (std::size_t i = 0; i < windows_.size(); ++i) {
                ReplannedLine& line = m.courses.emplace_back().line;
                line.interval = o.intervals[i];
                line.window = windows_[i];
            }
        }
    }

    [[nodiscard]] std::int64_t warm_up() const { return warm_up_; }
    [[nodiscard]] std::vector<MethodCourses>& methods() { return methods_; }

    // Plans for one step, after those before it.
    void step(std::int64_t t) {
        std::map<std::int64_t, std::vector<std::size_t>> due;  // [window]: intervals
        for (std::size_t i = 0; i < windows_.size(); ++i) {
            const std::int64_t n = options_.intervals[i];
            if (t == 0 || (n > 0 && t % n == 0)) due[windows_[i]].push_back(i);
        }
        for (MethodCourses& m : methods_)
            for (Course& c : m.courses) c.line.steps.emplace_back();
        for (const auto& [window, intervals] : due) {
            const Lesson lesson = learn({t - window, t});
            for (MethodCourses& m : methods_) {
                const Shared plan = plan_of(m, lesson);
                for (const std::size_t i : intervals)
                    if (plan) use(m.courses[i], plan, lesson);
            }
        }
        const Lesson lesson = learn({t, t + 1});
        for (MethodCourses& m : methods_) {
            m.oracle.push_back(plan_of(m, lesson));
            for (Course& c : m.courses) {
                c.used.push_back(c.held);
                c.line.steps.back().age = t - c.since;
            }
        }
    }

  private:
    // Steps are counted from step 0; the warm-up is before.
    Lesson learn(Range steps) const {
        RoutingTrace seen =
            seen_tokens(scenario_, origin_, {warm_up_ + steps.begin, warm_up_ + steps.end}, options_.planning.tokens);
        return {steps, planner_problem(scenario_, options_.planning, std::move(seen)), scenario_, fabric_};
    }

    // Nothing where the method has failed. A plan from the same steps is the same.
    Shared plan_of(MethodCourses& m, const Lesson& lesson) const {
        if (!m.failure.empty()) return nullptr;
        Shared& plan = m.plans[{lesson.steps.begin, lesson.steps.end}];
        if (plan) return plan;
        try {
            plan = std::make_shared<const Placement>(
                planner_method(m.name).plan(lesson.problem, method_, options_.effort, {}).placement);
        } catch (const Error& e) {
            if (e.code() == ExitCode::own_fault) throw;
            m.failure = e.what();
        }
        return plan;
    }

    void use(Course& c, const Shared& plan, const Lesson& lesson) {
        if (!c.held) {
            c.held = plan;
            return;
        }
        const std::int64_t now = lesson.steps.end;
        if (!alike_) alike_.emplace(lesson.problem.positions, lesson.model.speeds());
        Replan r = replan(*c.held, *plan, lesson.model, *alike_, scenario_, {c.line.interval, options_.hysteresis});
        c.line.replans.push_back({now, r.saving, r.migration.time, r.migration.copies, r.migration.bytes, r.taken});
        if (r.taken || r.placement == *c.held) c.since = now;
        if (!r.taken) return;
        c.line.steps.back().migration = r.migration.time;
        c.held = std::make_shared<const Placement>(std::move(r.placement));
    }

    const Scenario& scenario_;
    const std::string& origin_;
    const ReplanningOptions& options_;
    Fabric fabric_;
    MethodOptions method_;
    std::vector<std::int64_t> windows_;  // [interval]
    std::int64_t warm_up_ = 0;
    std::optional<AlikePositions> alike_;
    std::vector<MethodCourses> methods_;
};

// Runs of the judged steps, each placement of a step once.
class Runs {
  public:
    Runs(const Scenario& scenario, std::int64_t warm_up, std::int64_t steps) : runs_of_(as_size(steps)) {
        for (std::int64_t t = 0; t < steps; ++t) at_.push_back(at_step(scenario, warm_up + t));
    }

    // Which run it is.
    std::size_t add(std::size_t step, const Shared& placement) {
        for (const auto& [other, run] : runs_of_[step])
            if (*other == *placement) return run;
        auto& document = documents_[placement];
        if (!document) document = std::make_shared<const PlacementDocument>(to_document(*placement, "planned"));
        runs_of_[step].emplace_back(placement, all_.size());
        all_.push_back({std::to_string(all_.size()), at_[step]});
        all_.back().scenario.placement.document = document;
        return all_.size() - 1;
    }
    [[nodiscard]] const std::vector<NamedRun>& all() const { return all_; }

  private:
    std::vector<Scenario> at_;                                          // [step]
    std::vector<std::vector<std::pair<Shared, std::size_t>>> runs_of_;  // [step]
    std::map<Shared, std::shared_ptr<const PlacementDocument>> documents_;
    std::vector<NamedRun> all_;
};

// The line's times, and the oracle's beside.
void judge(std::vector<MethodCourses>& methods, Runs& runs, const ReplanningOptions& o,
           const std::function<void(const std::string&)>& progress) {
    const auto each = [&](auto visit) {
        for (MethodCourses& m : methods)
            for (Course& c : m.courses)
                for (std::size_t t = 0; t < c.used.size() && m.failure.empty(); ++t) {
                    const std::size_t own = runs.add(t, c.used[t]), oracle = runs.add(t, m.oracle[t]);
                    visit(c.line.steps[t], own, oracle);
                }
    };
    each([](ReplannedStep&, std::size_t, std::size_t) {});
    const std::vector<Seconds> times = makespans_apart(o.program, runs.all(), o.folder, [&](std::size_t ended) {
        progress(fmt::format("simulated: {} of {} steps", ended, runs.all().size()));
    });
    each([&](ReplannedStep& s, std::size_t own, std::size_t oracle) {
        s.time = times[own];
        s.oracle = times[oracle];
    });
}

template <class Value>
Seconds mean(const std::vector<ReplannedStep>& steps, Value value) {
    Seconds sum;
    for (const ReplannedStep& s : steps) sum += value(s);
    return sum * (1 / static_cast<double>(std::max<std::size_t>(steps.size(), 1)));
}

}  // namespace

Range learned_steps(std::int64_t first, std::int64_t interval, std::int64_t steps, std::int64_t most) {
    return {first - std::min(interval > 0 ? interval : steps, most), first};
}

Seconds ReplannedLine::step_mean() const {
    return mean(steps, [](const ReplannedStep& s) { return s.time; });
}

Seconds ReplannedLine::migration_mean() const {
    return mean(steps, [](const ReplannedStep& s) { return s.migration; });
}

std::int64_t ReplannedLine::taken() const {
    return std::count_if(replans.begin(), replans.end(), [](const ReplanMade& r) { return r.taken; });
}

std::vector<Staleness> ReplannedLine::staleness() const {
    std::vector<Staleness> all;
    const std::int64_t oldest =
        std::max_element(steps.begin(), steps.end(), [](const auto& a, const auto& b) { return a.age < b.age; })->age;
    for (std::int64_t from = 0, to = 0; from <= oldest; from = to + 1, to = 2 * to + 1) {
        Staleness s{from, to, 0, 0};
        Seconds time, oracle;
        for (const ReplannedStep& step : steps)
            if (step.age >= from && step.age <= to) ++s.steps, time += step.time, oracle += step.oracle;
        if (s.steps == 0) continue;
        s.slower = time / oracle - 1;
        all.push_back(s);
    }
    return all;
}

Replanning replan_over_time(const Scenario& scenario, const std::string& origin, const ReplanningOptions& o,
                            const std::function<void(const std::string&)>& progress) {
    check(o);  // before the work
    const Scenario s = with_absolute_files(scenario);
    Planning planning(s, origin, o);
    check_steps(s, origin, planning.warm_up() + o.steps);
    for (std::int64_t t = 0; t < o.steps; ++t) {
        progress(fmt::format("planning: step {} of {}", t + 1, o.steps));
        planning.step(t);
    }
    std::vector<MethodCourses>& methods = planning.methods();
    if (std::all_of(methods.begin(), methods.end(), [](const auto& m) { return !m.failure.empty(); }))
        throw CheckFailed("no method found a placement; " + methods[0].name + ": " + methods[0].failure);
    Runs runs(s, planning.warm_up(), o.steps);
    judge(methods, runs, o, progress);

    Replanning result;
    result.warm_up = planning.warm_up();
    for (MethodCourses& m : methods) {
        ReplannedMethod& method = result.methods.emplace_back();
        method.name = m.name;
        method.failure = m.failure;
        if (!m.failure.empty()) continue;
        method.oracle_mean = mean(m.courses[0].line.steps, [](const ReplannedStep& step) { return step.oracle; });
        for (Course& c : m.courses) method.lines.push_back(std::move(c.line));
    }
    return result;
}

}  // namespace moesim
