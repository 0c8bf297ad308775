#include "cli/replanning.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.hpp"
#include "config/scenario_json.hpp"

namespace moesim {
namespace {

using Json = nlohmann::ordered_json;

double real(std::int64_t v) { return static_cast<double>(v); }

// Of several re-plans together.
struct Moved {
    std::int64_t count = 0, copies = 0;
    Bytes bytes;
    Seconds time;
};

Moved moved(const ReplannedLine& line, bool only_taken) {
    Moved all;
    for (const ReplanMade& r : line.replans)
        if (r.taken || !only_taken) ++all.count, all.copies += r.copies, all.bytes += r.bytes, all.time += r.migration;
    return all;
}

Json document_of(const ReplannedLine& line) {
    const Moved taken = moved(line, true);
    const Seconds step = line.step_mean(), migration = line.migration_mean();
    Json j = {{"replan", line.interval},
              {"window_steps", line.window},
              {"step_mean_s", step.value()},
              {"migration_per_step_s", migration.value()},
              {"total_per_step_s", (step + migration).value()},
              {"replans", line.replans.size()},
              {"taken", taken.count},
              {"copies_moved", taken.copies},
              {"bytes_moved", taken.bytes.value()},
              {"migration_s", taken.time.value()},
              {"staleness", Json::array()},
              {"made", Json::array()},
              {"steps", Json::array()}};
    for (const Staleness& s : line.staleness())
        j["staleness"].push_back({{"age_from", s.from}, {"age_to", s.to}, {"steps", s.steps}, {"slower", s.slower}});
    for (const ReplanMade& r : line.replans)
        j["made"].push_back({{"step", r.step},
                             {"saving_per_step_s", r.saving.value()},
                             {"migration_s", r.migration.value()},
                             {"copies", r.copies},
                             {"bytes", r.bytes.value()},
                             {"taken", r.taken}});
    for (const ReplannedStep& s : line.steps)
        j["steps"].push_back({{"age", s.age},
                              {"time_s", s.time.value()},
                              {"oracle_s", s.oracle.value()},
                              {"migration_s", s.migration.value()}});
    return j;
}

// All ages that some line has, as the first steps of their ranges.
std::set<std::int64_t> ages_of(const Replanning& found) {
    std::set<std::int64_t> ages;
    for (const ReplannedMethod& m : found.methods)
        for (const ReplannedLine& line : m.lines)
            for (const Staleness& s : line.staleness()) ages.insert(s.from);
    return ages;
}

std::string age_text(std::int64_t from) { return from < 2 ? fmt::format("{}", from) : fmt::format("{}+", from); }

std::string text_of(const std::string& name, const ReplannedLine& line, double first,
                    const std::set<std::int64_t>& ages) {
    const Moved all = moved(line, false);
    const double each = 1 / real(std::max<std::int64_t>(all.count, 1));
    const double step = line.step_mean().value(), migration = line.migration_mean().value();
    std::string text =
        fmt::format("{:<22} {:>6} {:>9.4g} {:>9.4g} {:>9.4g} {:>+6.1f}% {:>7} {:>9.4g} {:>8.4g} {:>8.4g} ", name,
                    line.interval == 0 ? "never" : fmt::format("{}", line.interval), step * 1e3, migration * 1e3,
                    (step + migration) * 1e3, 100 * ((step + migration) / first - 1),
                    line.replans.empty() ? "-" : fmt::format("{}/{}", line.taken(), all.count),
                    all.time.value() * each * 1e3, real(all.copies) * each, all.bytes.as_double() * each / 1e9);
    const std::vector<Staleness> staleness = line.staleness();
    for (const std::int64_t age : ages) {
        const auto found =
            std::find_if(staleness.begin(), staleness.end(), [&](const Staleness& s) { return s.from == age; });
        text += found == staleness.end() ? fmt::format("{:>8}", "") : fmt::format("{:>+7.1f}%", 100 * found->slower);
    }
    while (text.back() == ' ') text.pop_back();
    return text + "\n";
}

std::string rule_text(const ReplanningOptions& o) {
    if (!o.hysteresis) return "each is taken";
    return fmt::format("taken where it saves more than {:.4g} x its migration until the next one", 1 + *o.hysteresis);
}

}  // namespace

std::optional<double> parse_hysteresis(const std::string& text) {
    if (text == "none") return std::nullopt;
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stopped != end || !std::isfinite(value) || value < 0)
        throw InputError(fmt::format("--hysteresis: found \"{}\", expected a number of 0 or more, or none", text));
    return value;
}

std::string replanning_document(const Scenario& s, const ReplanningOptions& o, const Replanning& found) {
    Json j = {{"schema", "moesim.replanning/1"},
              {"scenario", to_json(s)},
              {"steps", o.steps},
              {"warm_up_steps", found.warm_up},
              {"most_tokens", o.planning.tokens},
              {"hysteresis", o.hysteresis ? Json(*o.hysteresis) : Json(nullptr)}};
    for (const ReplannedMethod& m : found.methods) {
        Json method = {{"method", m.name}};
        if (!m.failure.empty()) {
            method["failure"] = m.failure;
        } else {
            method["oracle_step_mean_s"] = m.oracle_mean.value();
            for (const ReplannedLine& line : m.lines) method["lines"].push_back(document_of(line));
        }
        j["methods"].push_back(std::move(method));
    }
    return j.dump(1) + "\n";
}

std::string replanning_table(const Scenario& s, const ReplanningOptions& o, const Replanning& found) {
    const std::set<std::int64_t> ages = ages_of(found);
    std::string text = fmt::format(
        "{}\n  {} steps of {} tokens, after {} that are only learned from; a plan is learned from the steps right "
        "before "
        "it,\n  up to {} tokens, and {}; times in ms\n\n",
        s.name, o.steps, s.batch.tokens(), found.warm_up, o.planning.tokens, rule_text(o));
    text += fmt::format("{:<22} {:>6} {:>9} {:>9} {:>9} {:>7} {:>7} {:>9} {:>8} {:>8}  slower than the oracle at age\n",
                        "method", "replan", "step", "migration", "total", "", "taken", "each", "copies", "GB");
    text += fmt::format("{:<95}", "");
    for (const std::int64_t age : ages) text += fmt::format("{:>8}", age_text(age));
    text += "\n";
    std::optional<double> first;
    for (const ReplannedMethod& m : found.methods) {
        if (!m.failure.empty()) {
            text += fmt::format("{:<22} no placement: {}\n", m.name, m.failure);
            continue;
        }
        for (const ReplannedLine& line : m.lines) {
            if (!first) first = (line.step_mean() + line.migration_mean()).value();
            text += text_of(m.name, line, *first, ages);
        }
        const double oracle = m.oracle_mean.value() * 1e3;
        text += fmt::format("{:<22} {:>6} {:>9.4g} {:>9} {:>9.4g} {:>+6.1f}%\n", m.name, "oracle", oracle, "-", oracle,
                            100 * (oracle * 1e-3 / *first - 1));
    }
    text +=
        "\nreplan: steps from plan to plan; oracle: each step under the placement that its own tokens give, without "
        "migration\nmigration: a step; each, copies, GB: of a re-plan, taken or not; percent: of the total, against "
        "the "
        "first line\nage: steps since the plan was first used\n";
    return text;
}

}  // namespace moesim
