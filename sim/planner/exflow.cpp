#include "planner/exflow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace moesim {
namespace {

using Place = std::vector<std::vector<std::uint32_t>>;

// Layer after layer, the pairs (expert, group) by falling count of tokens that come to the expert from the group, each
// group taking as many as it had in `place`, whose first layer stays.
void follow_greedily(const std::vector<Matrix<double>>& flow, Place& place, std::size_t groups) {
    for (std::size_t l = 1; l < place.size(); ++l) {
        std::vector<std::size_t> room(groups);
        for (const std::uint32_t g : place[l]) ++room[g];
        const std::size_t experts = place[l].size();
        std::vector<double> from(experts * groups);
        for (std::size_t a = 0; a < flow[l - 1].rows(); ++a)
            for (std::size_t b = 0; b < experts; ++b) from[b * groups + place[l - 1][a]] += flow[l - 1](a, b);
        std::vector<std::size_t> order(from.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return from[a] > from[b]; });
        std::vector<bool> placed(experts);
        for (const std::size_t pair : order) {
            const std::size_t e = pair / groups, g = pair % groups;
            if (placed[e] || room[g] == 0) continue;
            placed[e] = true;
            --room[g];
            place[l][e] = static_cast<std::uint32_t>(g);
        }
    }
}

// What lies between those of the experts that are at one of the positions: a node's, say.
CrossingCase cut_out(const WorkloadCounts& w, const Matrix<unsigned char>& wanted, CrossingForm form) {
    CrossingCase c;
    constexpr std::size_t none = static_cast<std::size_t>(-1);
    Matrix<std::size_t> index(w.layers, w.experts, none);
    c.experts.resize(w.layers);
    for (std::size_t l = 0; l < w.layers; ++l)
        for (std::size_t e = 0; e < w.experts; ++e) {
            if (!wanted(l, e)) continue;
            index(l, e) = c.experts[l].size();
            c.experts[l].push_back(e);
        }
    for (std::size_t l = 0; l + 1 < w.layers; ++l) {
        Matrix<double> flow(c.experts[l].size(), c.experts[l + 1].size());
        for (std::size_t a = 0; a < flow.rows(); ++a)
            for (std::size_t b = 0; b < flow.cols(); ++b) flow(a, b) = w.first[l](c.experts[l][a], c.experts[l + 1][b]);
        c.flow.push_back(std::move(flow));
    }
    if (form == CrossingForm::counts) return c;
    if (w.trace == nullptr) throw InputError("exflow: the form by tokens needs a trace, and the workload has none");
    c.tokens.resize(c.flow.size());
    for (std::size_t l = 0; l + 1 < w.layers; ++l)
        for (std::size_t t = 0; t < w.trace->tokens; ++t) {
            const ExpertIndex a = w.trace->at(t, l)[0], b = w.trace->at(t, l + 1)[0];
            if (a == no_expert || b == no_expert || index(l, a) == none || index(l + 1, b) == none) continue;
            c.tokens[l].emplace_back(index(l, a), index(l + 1, b));
        }
    return c;
}

struct Stage {
    Place place;
    double bound = 0;  // tokens
    bool solved = false;
};

Stage solve_stage(const CrossingCase& c, const ExflowOptions& options, SolveOptions search, const std::string& name) {
    double crossings = 0;
    for (const auto& flow : c.flow) crossings += static_cast<double>(flow.rows() * flow.cols());
    if (options.form == CrossingForm::tokens) {
        crossings = 0;
        for (const auto& tokens : c.tokens) crossings += static_cast<double>(tokens.size());
    }
    check_program_size("exflow: the program", 6 * crossings * static_cast<double>(c.sizes.size()));
    CrossingProgram p = crossing_program(c, options.form, options.strengthened);
    options.files.write(p.program, name);
    search.start = std::move(p.start);
    const Solution s = solve(p.program, search);
    if (s.x.empty())
        throw CheckFailed("exflow: no placement was found within the limits: give it a longer --time-limit");
    // Tokens are whole, so what is above a number of them is above the next one.
    return {p.x.place(s.x), std::isfinite(s.bound) ? std::max(0.0, std::ceil(s.bound - 1e-6)) : 0, s.optimal};
}

class Exflow {
  public:
    Exflow(const PlannerProblem& problem, const ExflowOptions& options, const Effort& effort)
        : problem_(problem), options_(options), effort_(effort),
          place_(options.start ? *options.start : even_start(problem)) {}

    PlannerResult run() {
        const std::size_t nodes = problem_.positions.nodes();
        std::vector<std::uint32_t> everywhere(problem_.positions.count());
        std::iota(everywhere.begin(), everywhere.end(), 0U);
        const Matrix<unsigned char> all(place_.rows(), place_.cols(), 1);
        if (!options_.staged || nodes == 1) return result(inside(all, everywhere, 1, "positions"));

        std::vector<std::vector<std::uint32_t>> members(nodes);  // [node]: its positions
        for (const std::uint32_t p : everywhere) members[problem_.positions.node[p]].push_back(p);
        CrossingCase c = cut_out(problem_.workload, all, options_.form);
        for (const auto& positions : members) add_group(c, positions.size());
        c.start.resize(place_.rows());
        for (std::size_t l = 0; l < place_.rows(); ++l)
            for (const std::uint32_t p : place_.row(l)) c.start[l].push_back(problem_.positions.node[p]);
        const Stage split = stage(c, 0.5, "nodes");
        for (std::size_t n = 0; n < nodes; ++n) {
            Matrix<unsigned char> here(place_.rows(), place_.cols());
            for (std::size_t l = 0; l < place_.rows(); ++l)
                for (std::size_t e = 0; e < place_.cols(); ++e) here(l, e) = split.place[l][e] == n;
            inside(here, members[n], 1 / static_cast<double>(nodes - n), fmt::format("node{}", n));
        }
        return result(split.bound);
    }

  private:
    void add_group(CrossingCase& c, std::size_t positions) const {
        const GroupSize even = even_size(problem_);
        c.sizes.push_back({positions * even.least, positions * even.most});
        c.slots.push_back(positions * problem_.slots);
        c.memory.push_back(positions * memory_limit(problem_));
    }

    Stage stage(CrossingCase& c, double share, const std::string& name) {
        if (!options_.start) follow_greedily(c.flow, c.start, c.sizes.size());
        Stage solved = solve_stage(c, options_, effort_.part(share), name);
        stopped_ = stopped_ || !solved.solved;
        return solved;
    }

    // Deals some experts to some positions; returns the bound.
    double inside(const Matrix<unsigned char>& wanted, const std::vector<std::uint32_t>& positions, double share,
                  const std::string& name) {
        CrossingCase c = cut_out(problem_.workload, wanted, options_.form);
        for (std::size_t g = 0; g < positions.size(); ++g) add_group(c, 1);
        c.start = start_inside(c.experts, positions);
        const Stage dealt = stage(c, share, name);
        for (std::size_t l = 0; l < c.experts.size(); ++l)
            for (std::size_t e = 0; e < c.experts[l].size(); ++e)
                place_(l, c.experts[l][e]) = positions[dealt.place[l][e]];
        return dealt.bound;
    }

    // Where the experts were, if that is at these positions; else dealt out evenly, the positions taking turns in
    // holding one more.
    [[nodiscard]] Place start_inside(const std::vector<std::vector<std::size_t>>& experts,
                                     const std::vector<std::uint32_t>& positions) const {
        Place start(experts.size());
        bool known = true;
        for (std::size_t l = 0; l < experts.size(); ++l)
            for (const std::size_t e : experts[l]) {
                const auto at = std::find(positions.begin(), positions.end(), place_(l, e));
                known = known && at != positions.end();
                start[l].push_back(static_cast<std::uint32_t>(at - positions.begin()));
            }
        if (known) return start;
        std::size_t turn = 0;
        for (auto& layer : start) {
            std::vector<std::size_t> size(positions.size(), layer.size() / positions.size());
            for (std::size_t i = 0; i < layer.size() % positions.size(); ++i) ++size[turn++ % positions.size()];
            layer.clear();
            for (std::uint32_t g = 0; g < size.size(); ++g) layer.insert(layer.end(), size[g], g);
        }
        return start;
    }

    [[nodiscard]] PlannerResult result(double bound) const {
        double all = 0, crossing = 0;
        const auto& flow = problem_.workload.first;
        for (std::size_t l = 0; l < flow.size(); ++l)
            for (std::size_t a = 0; a < flow[l].rows(); ++a)
                for (std::size_t b = 0; b < flow[l].cols(); ++b) {
                    all += flow[l](a, b);
                    if (place_(l, a) != place_(l + 1, b)) crossing += flow[l](a, b);
                }
        const double scale = all > 0 ? 1 / all : 0;
        return {Placement(place_, problem_.positions.count()),
                "share of first choices of adjacent layers that cross",
                crossing * scale,
                bound * scale,
                effort_.took(),
                stopped_};
    }

    const PlannerProblem& problem_;
    const ExflowOptions& options_;
    ProgramEffort effort_;
    Matrix<std::uint32_t> place_;  // [layer][expert]: positions
    bool stopped_ = false;
};

}  // namespace

PlannerResult exflow_plan(const PlannerProblem& problem, const ExflowOptions& options, const Effort& effort) {
    return Exflow(problem, options, effort).run();
}

}  // namespace moesim
