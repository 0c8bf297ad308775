#include "planner/infeasible.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "planner/cbc_process.hpp"

namespace moesim {
namespace {

constexpr double noticeable = 1e-6;

struct Elastic {
    IntegerProgram program;
    std::vector<std::size_t> family_of;  // [column]: of a slack; families().size() for the columns of the original
};

Elastic elastic(const IntegerProgram& program, std::optional<std::size_t> only) {
    Elastic e;
    const std::size_t none = program.families().size();
    for (IntegerProgram::Column column : program.columns()) {
        column.cost = 0;
        e.program.add(std::move(column));
    }
    e.family_of.assign(program.columns().size(), none);
    for (const auto& row : program.rows()) {
        auto terms = row.terms;
        if (!only || *only == row.family)
            for (const double direction : {1.0, -1.0}) {
                if (!std::isfinite(direction > 0 ? row.lower : row.upper)) continue;
                const char* const name = direction > 0 ? "short_" : "over_";
                terms.push_back(
                    {e.program.add({name + program.full_name(row), 0, IntegerProgram::infinity, 1, false}), direction});
                e.family_of.push_back(row.family);
            }
        e.program.require(program.families()[row.family], row.name, row.lower, std::move(terms), row.upper);
    }
    return e;
}

// Nothing where CBC found none.
std::vector<double> attempt(const IntegerProgram& program) {
    SolveOptions enough;  // to find a solution of an elastic program that is nearly one of a placement
    enough.seconds = 10;
    enough.nodes = 1000;
    return run_cbc_apart(program, enough).solution.x;
}

// Which columns run away when every infinite bound is put far out.
void throw_if_unbounded(const IntegerProgram& program) {
    constexpr double far = 1e7;
    IntegerProgram capped;
    bool any = false;
    for (IntegerProgram::Column c : program.columns()) {
        any = any || (c.cost < 0 && std::isinf(c.upper)) || (c.cost > 0 && std::isinf(c.lower));
        c.lower = std::max(c.lower, -far);
        c.upper = std::min(c.upper, far);
        capped.add(std::move(c));
    }
    if (!any) return;
    for (const auto& row : program.rows())
        capped.require(program.families()[row.family], row.name, row.lower, row.terms, row.upper);
    const std::vector<double> x = attempt(capped);
    if (x.empty()) return;
    std::vector<std::string> away;
    for (std::size_t j = 0; j < capped.columns().size(); ++j)
        if (std::abs(x[j]) > far / 2) away.push_back(capped.columns()[j].name);
    throw UnboundedProgram(
        fmt::format("the program is unbounded: no constraint family holds {}", fmt::join(away, ", ")));
}

}  // namespace

void explain_infeasible(const IntegerProgram& program) {
    throw_if_unbounded(program);
    std::vector<std::string> names, phrases;
    const auto look = [&](std::optional<std::size_t> only) {
        const Elastic e = elastic(program, only);
        const std::vector<double> x = attempt(e.program);
        if (x.empty()) return;
        for (std::size_t f = 0; f < program.families().size(); ++f) {
            double missing = 0, most = 0;
            std::string where;
            for (std::size_t j = 0; j < e.family_of.size(); ++j) {
                if (e.family_of[j] != f) continue;
                missing += x[j];
                if (x[j] > most + noticeable) most = x[j], where = e.program.columns()[j].name;
            }
            if (missing <= noticeable) continue;
            names.push_back(program.families()[f]);
            phrases.push_back(fmt::format("'{}' (missed by {:.6g} in all; {} by {:.6g})", names.back(), missing,
                                          where.substr(where.find('_') + 1), most));
        }
    };
    for (std::size_t f = 0; f < program.families().size(); ++f) look(f);
    const bool one_suffices = !names.empty();
    if (!one_suffices) look(std::nullopt);
    if (names.empty())
        throw InfeasibleProgram("the program has no solution: the bounds of its columns contradict each other", {});
    const std::string reason = fmt::format("the program has no solution: the other constraints leave no room for {}",
                                           fmt::join(phrases, one_suffices ? ", or for " : " together with "));
    throw InfeasibleProgram(reason, std::move(names));
}

}  // namespace moesim
