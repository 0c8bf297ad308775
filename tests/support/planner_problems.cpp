#include "support/planner_problems.hpp"

#include <algorithm>
#include <memory>
#include <numeric>

#include "base/random.hpp"

namespace moesim::test {
namespace {

PlannerProblem of_trace(RoutingTrace trace, std::size_t nodes, std::size_t positions) {
    PlannerProblem p;
    const std::size_t experts = trace.experts;
    p.workload = workload_counts(std::make_shared<const RoutingTrace>(std::move(trace)));
    for (std::size_t i = 0; i < positions; ++i)
        p.positions.node.push_back(static_cast<std::uint32_t>(i * nodes / positions));
    p.positions.seconds_per_byte = Matrix<double>(positions, positions, 1e-9);
    for (std::size_t i = 0; i < positions; ++i) p.positions.seconds_per_byte(i, i) = 0;
    p.slots = (experts + positions - 1) / positions;
    p.expert_bytes = Bytes(1000);
    return p;
}

std::vector<std::vector<std::uint32_t>> even_layers(std::size_t experts, std::size_t positions) {
    std::vector<std::vector<std::uint32_t>> all;
    std::vector<std::uint32_t> place(experts);
    std::vector<std::size_t> held(positions);
    const std::function<void(std::size_t)> next = [&](std::size_t e) {
        if (e == experts) {
            if (*std::min_element(held.begin(), held.end()) >= experts / positions) all.push_back(place);
            return;
        }
        for (std::uint32_t p = 0; p < positions; ++p) {
            if (held[p] == (experts + positions - 1) / positions) continue;
            ++held[p];
            place[e] = p;
            next(e + 1);
            --held[p];
        }
    };
    next(0);
    return all;
}

}  // namespace

PlannerProblem first_choice_problem(const std::vector<std::vector<ExpertIndex>>& tokens, std::size_t experts,
                                    std::size_t positions) {
    RoutingTrace t;
    t.tokens = tokens.size();
    t.layers = tokens.at(0).size();
    t.top_k = 1;
    t.experts = experts;
    for (const auto& token : tokens) t.choices.insert(t.choices.end(), token.begin(), token.end());
    t.source_begin = {0};
    return of_trace(std::move(t), 1, positions);
}

PlannerProblem random_problem(std::uint64_t seed, const ProblemSize& size) {
    RandomStream random(stream_key(seed, 71), 0);
    const auto experts = static_cast<std::uint32_t>(size.experts);
    const auto skewed = [&] {
        return static_cast<ExpertIndex>(std::min(random.below(experts), random.below(experts)));
    };
    RoutingTrace t;
    t.tokens = size.tokens;
    t.layers = size.layers;
    t.top_k = size.top_k;
    t.experts = size.experts;
    t.source_begin = {0};
    for (std::size_t i = 0; i < size.tokens; ++i) {
        ExpertIndex before = skewed();
        for (std::size_t l = 0; l < size.layers; ++l) {
            // Half of the tokens go where most of those with the same expert go.
            const ExpertIndex first =
                random.below(2) == 0 ? static_cast<ExpertIndex>((before * 5U + l + seed) % experts) : skewed();
            std::vector<ExpertIndex> chosen{first};
            while (chosen.size() < size.top_k) {
                const ExpertIndex other = skewed();
                if (std::find(chosen.begin(), chosen.end(), other) == chosen.end()) chosen.push_back(other);
            }
            t.choices.insert(t.choices.end(), chosen.begin(), chosen.end());
            before = first;
        }
    }
    PlannerProblem p = of_trace(std::move(t), size.nodes, size.positions);
    for (std::size_t a = 0; a < size.positions; ++a)
        for (std::size_t b = 0; b < size.positions; ++b)
            if (p.positions.node[a] != p.positions.node[b])
                p.positions.seconds_per_byte(a, b) =
                    1e-9 * static_cast<double>(2 + (p.positions.node[a] + p.positions.node[b] + seed) % 4);
    return p;
}

void for_every_placement(const PlannerProblem& problem,
                         const std::function<void(const Matrix<std::uint32_t>&)>& visit) {
    const auto layers = even_layers(problem.workload.experts, problem.positions.count());
    Matrix<std::uint32_t> place(problem.workload.layers, problem.workload.experts);
    const std::function<void(std::size_t)> next = [&](std::size_t l) {
        if (l == place.rows()) return visit(place);
        for (const auto& layer : layers) {
            std::copy(layer.begin(), layer.end(), place.row(l).begin());
            next(l + 1);
        }
    };
    next(0);
}

double least_of_all(const PlannerProblem& problem, const std::function<double(const Matrix<std::uint32_t>&)>& value) {
    double least = std::numeric_limits<double>::infinity();
    for_every_placement(problem, [&](const auto& place) { least = std::min(least, value(place)); });
    return least;
}

double crossing_tokens(const PlannerProblem& problem, const Matrix<std::uint32_t>& place,
                       const std::vector<std::uint32_t>& group_of) {
    const RoutingTrace& t = *problem.workload.trace;
    double sum = 0;
    for (std::size_t i = 0; i < t.tokens; ++i)
        for (std::size_t l = 0; l + 1 < t.layers; ++l)
            if (group_of[place(l, t.at(i, l)[0])] != group_of[place(l + 1, t.at(i, l + 1)[0])]) ++sum;
    return sum;
}

Matrix<std::uint32_t> first_copies(const Placement& placement) {
    Matrix<std::uint32_t> place(placement.layers(), placement.experts());
    for (std::size_t l = 0; l < place.rows(); ++l)
        for (std::size_t e = 0; e < place.cols(); ++e) place(l, e) = placement.replicas(LayerId(l), e)[0];
    return place;
}

bool is_even(const Placement& placement) {
    const auto place = first_copies(placement);
    if (placement.replicated()) return false;
    for (std::size_t l = 0; l < place.rows(); ++l) {
        std::vector<std::size_t> held(placement.positions());
        for (const std::uint32_t p : place.row(l)) ++held[p];
        const auto [least, most] = std::minmax_element(held.begin(), held.end());
        if (*most - *least > 1) return false;
    }
    return true;
}

}  // namespace moesim::test
