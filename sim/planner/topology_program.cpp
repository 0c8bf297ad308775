#include "planner/topology_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "planner/longest_first.hpp"
#include "planner/placement_columns.hpp"

namespace moesim {
namespace {

using Terms = std::vector<IntegerProgram::Term>;

class TopologyProgram {
  public:
    TopologyProgram(const PlannerProblem& problem, const TopologyProgramOptions& options,
                    const Matrix<double>& distance)
        : problem_(problem), distance_(distance), x_(columns()) {
        const std::size_t n = x_.groups();
        const GroupSize even = even_size(problem);
        x_.require_sizes(program_, std::vector<GroupSize>(n, even));
        x_.require_at_most(program_, "slots", std::vector<std::size_t>(n, problem.slots));
        x_.require_memory(program_, std::vector<std::size_t>(n, memory_limit(problem)));
        if (options.load_cap) x_.require_load_cap(program_, problem.workload.load, *options.load_cap);
        like_ = alike(distance);
        x_.break_symmetry(program_, like_);
        const bool strengthened = options.strengthened && even.least == even.most;
        for (std::size_t l = 0; l < problem.workload.pairs.size(); ++l) add_pair_of_layers(l, strengthened);
    }

    [[nodiscard]] const IntegerProgram& program() const { return program_; }
    [[nodiscard]] Matrix<std::uint32_t> read(const std::vector<double>& x) const {
        const auto place = x_.place(x);
        Matrix<std::uint32_t> m(place.size(), problem_.workload.experts);
        for (std::size_t l = 0; l < m.rows(); ++l) std::copy(place[l].begin(), place[l].end(), m.row(l).begin());
        return m;
    }
    [[nodiscard]] std::vector<double> start(const Matrix<std::uint32_t>& from) const {
        std::vector<std::vector<std::uint32_t>> place;
        for (std::size_t l = 0; l < from.rows(); ++l) place.emplace_back(from.row(l).begin(), from.row(l).end());
        rename_groups(place, like_);
        std::vector<double> x(program_.columns().size());
        x_.put(x, place);
        for (const Product& p : products_)
            x[p.first + place[p.layer][p.from] * x_.groups() + place[p.layer + 1][p.to]] = 1;
        return x;
    }

  private:
    struct Product {  // z[from][to][g1][g2] of two experts
        std::size_t layer, from, to;
        std::size_t first;  // column
    };

    PlacementColumns columns() {
        std::vector<std::size_t> all(problem_.workload.experts);
        std::iota(all.begin(), all.end(), std::size_t{0});
        return {program_, std::vector<std::vector<std::size_t>>(problem_.workload.layers, all),
                problem_.positions.count()};
    }

    void add_product(std::size_t l, std::size_t a, std::size_t b, double tokens) {
        const std::size_t n = x_.groups();
        const std::string name = x_.name(l, a) + '_' + x_.name(l + 1, b);
        const Product p{l, a, b, program_.columns().size()};
        for (std::size_t g1 = 0; g1 < n; ++g1)
            for (std::size_t g2 = 0; g2 < n; ++g2)
                program_.add({fmt::format("z_{}_g{}_g{}", name, g1, g2), 0, 1, tokens * distance_(g1, g2), false});
        for (std::size_t g = 0; g < n; ++g) {
            Terms from{{x_.at(l, a, g), -1}}, to{{x_.at(l + 1, b, g), -1}};
            for (std::size_t other = 0; other < n; ++other) {
                from.push_back({p.first + g * n + other, 1});
                to.push_back({p.first + other * n + g, 1});
            }
            program_.require("products", fmt::format("{}_g{}_from", name, g), 0, std::move(from), 0);
            program_.require("products", fmt::format("{}_g{}_to", name, g), 0, std::move(to), 0);
        }
        products_.push_back(p);
    }

    void add_pair_of_layers(std::size_t l, bool strengthened) {
        const Matrix<double>& tokens = problem_.workload.pairs[l];
        const std::size_t n = x_.groups(), experts = tokens.rows(), first = products_.size();
        for (std::size_t a = 0; a < experts; ++a)
            for (std::size_t b = 0; b < experts; ++b)
                if (strengthened || tokens(a, b) != 0) add_product(l, a, b, tokens(a, b));
        if (!strengthened) return;
        const std::size_t each = experts / n;
        const auto size = static_cast<double>(each);
        for (std::size_t e = 0; e < experts; ++e)
            for (std::size_t g1 = 0; g1 < n; ++g1)
                for (std::size_t g2 = 0; g2 < n; ++g2) {
                    Terms next{{x_.at(l, e, g1), -size}}, before{{x_.at(l + 1, e, g2), -size}};
                    for (std::size_t other = 0; other < experts; ++other) {
                        next.push_back({products_[first + e * experts + other].first + g1 * n + g2, 1});
                        before.push_back({products_[first + other * experts + e].first + g1 * n + g2, 1});
                    }
                    program_.require("products_of_share", fmt::format("{}_g{}_g{}_next", x_.name(l, e), g1, g2), 0,
                                     std::move(next), 0);
                    program_.require("products_of_share", fmt::format("{}_g{}_g{}_before", x_.name(l + 1, e), g1, g2),
                                     0, std::move(before), 0);
                }
    }

    const PlannerProblem& problem_;
    const Matrix<double>& distance_;
    IntegerProgram program_;
    PlacementColumns x_;
    std::vector<std::size_t> like_;
    std::vector<Product> products_;
};

double all_transitions(const WorkloadCounts& workload) {
    double sum = 0;
    for (const auto& pairs : workload.pairs) sum = std::accumulate(pairs.values().begin(), pairs.values().end(), sum);
    return sum;
}

}  // namespace

double transition_cost(const WorkloadCounts& workload, const Matrix<std::uint32_t>& place,
                       const Matrix<double>& distance) {
    double sum = 0;
    for (std::size_t l = 0; l < workload.pairs.size(); ++l)
        for (std::size_t a = 0; a < workload.experts; ++a)
            for (std::size_t b = 0; b < workload.experts; ++b)
                sum += workload.pairs[l](a, b) * distance(place(l, a), place(l + 1, b));
    const double all = all_transitions(workload);
    return all > 0 ? sum / all : 0;
}

PlannerResult topology_plan(const PlannerProblem& problem, const TopologyProgramOptions& options,
                            const Effort& effort) {
    const ProgramEffort clock(effort);
    const Matrix<double>& distance =
        options.distance.rows() > 0 ? options.distance : problem.positions.seconds_per_byte;
    const auto side = static_cast<double>(problem.workload.experts * problem.positions.count());
    check_program_size("the topology program",
                       4 * side * side * static_cast<double>(std::max<std::size_t>(problem.workload.layers, 1) - 1));
    const TopologyProgram p(problem, options, distance);
    options.files.write(p.program(), "positions");
    SolveOptions search = clock.part(1);
    search.start =
        p.start(options.start ? *options.start : longest_first(problem.workload.load, problem.positions.count()));
    const Solution s = solve(p.program(), search);
    if (s.x.empty())
        throw CheckFailed(
            "the topology program: no placement was found within the limits: give it a longer --time-limit, or a "
            "higher "
            "--load-limit");
    const Matrix<std::uint32_t> place = p.read(s.x);
    const double value = transition_cost(problem.workload, place, distance);
    const double all = all_transitions(problem.workload);
    return {Placement(place, problem.positions.count()),
            "s a byte of a token, mean of transitions between layers",
            value,
            std::clamp(all > 0 ? s.bound / all : 0, 0.0, value),
            clock.took(),
            !s.optimal};
}

}  // namespace moesim
