#include "planner/placement_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace moesim {

GroupSize even_size(const PlannerProblem& problem) {
    const std::size_t experts = problem.workload.experts, positions = problem.positions.count();
    return {experts / positions, (experts + positions - 1) / positions};
}

std::size_t memory_limit(const PlannerProblem& problem) {
    const std::size_t all = problem.workload.layers * problem.workload.experts;
    if (!problem.memory || problem.expert_bytes.value() <= 0) return all;
    return std::min(all, static_cast<std::size_t>(
                             std::max<std::int64_t>(0, problem.memory->value() / problem.expert_bytes.value())));
}

Matrix<std::uint32_t> even_start(const PlannerProblem& problem) {
    const std::size_t experts = problem.workload.experts, positions = problem.positions.count();
    Matrix<std::uint32_t> place(problem.workload.layers, experts);
    std::size_t turn = 0;
    for (std::size_t l = 0; l < place.rows(); ++l) {
        std::vector<std::size_t> size(positions, experts / positions);
        for (std::size_t i = 0; i < experts % positions; ++i) ++size[turn++ % positions];
        for (std::size_t p = 0, e = 0; p < positions; ++p)
            for (std::size_t i = 0; i < size[p]; ++i) place(l, e++) = static_cast<std::uint32_t>(p);
    }
    return place;
}

std::vector<std::size_t> alike(const Matrix<double>& cost) {
    const std::size_t n = cost.rows();
    const auto exchangeable = [&](std::size_t a, std::size_t b) {
        if (cost(a, b) != cost(b, a) || cost(a, a) != cost(b, b)) return false;
        for (std::size_t c = 0; c < n; ++c)
            if (c != a && c != b && (cost(a, c) != cost(b, c) || cost(c, a) != cost(c, b))) return false;
        return true;
    };
    std::vector<std::size_t> like(n);
    for (std::size_t a = 0; a < n; ++a)
        for (like[a] = 0; like[a] < a && !(like[like[a]] == like[a] && exchangeable(like[a], a));) ++like[a];
    return like;
}

PlacementColumns::PlacementColumns(IntegerProgram& program, std::vector<std::vector<std::size_t>> experts,
                                   std::size_t groups)
    : experts_(std::move(experts)), groups_(groups) {
    for (std::size_t l = 0; l < layers(); ++l) {
        first_.push_back(program.columns().size());
        for (std::size_t e = 0; e < this->experts(l); ++e)
            for (std::size_t g = 0; g < groups_; ++g) program.add_binary(fmt::format("x_{}_g{}", name(l, e), g));
    }
    for (std::size_t l = 0; l < layers(); ++l)
        for (std::size_t e = 0; e < this->experts(l); ++e) {
            std::vector<IntegerProgram::Term> terms;
            for (std::size_t g = 0; g < groups_; ++g) terms.push_back({at(l, e, g), 1});
            program.require("one_place", name(l, e), 1, std::move(terms), 1);
        }
}

std::string PlacementColumns::name(std::size_t layer, std::size_t expert) const {
    return fmt::format("l{}_e{}", layer, experts_[layer][expert]);
}

void PlacementColumns::require_sizes(IntegerProgram& program, std::span<const GroupSize> sizes) const {
    for (std::size_t l = 0; l < layers(); ++l)
        for (std::size_t g = 0; g < groups_; ++g) {
            std::vector<IntegerProgram::Term> terms;
            for (std::size_t e = 0; e < experts(l); ++e) terms.push_back({at(l, e, g), 1});
            program.require("share", fmt::format("l{}_g{}", l, g), static_cast<double>(sizes[g].least),
                            std::move(terms), static_cast<double>(sizes[g].most));
        }
}

void PlacementColumns::require_at_most(IntegerProgram& program, const std::string& family,
                                       std::span<const std::size_t> most) const {
    for (std::size_t l = 0; l < layers(); ++l)
        for (std::size_t g = 0; g < groups_; ++g) {
            std::vector<IntegerProgram::Term> terms;
            for (std::size_t e = 0; e < experts(l); ++e) terms.push_back({at(l, e, g), 1});
            program.require(family, fmt::format("l{}_g{}", l, g), -IntegerProgram::infinity, std::move(terms),
                            static_cast<double>(most[g]));
        }
}

void PlacementColumns::require_memory(IntegerProgram& program, std::span<const std::size_t> most) const {
    std::size_t experts_of_a_layer = 0;
    for (std::size_t l = 0; l < layers(); ++l) experts_of_a_layer = std::max(experts_of_a_layer, experts(l));
    require_memory(program, most, Matrix<std::uint32_t>(layers(), experts_of_a_layer, 1));
}

void PlacementColumns::require_memory(IntegerProgram& program, std::span<const std::size_t> most,
                                      const Matrix<std::uint32_t>& weight) const {
    for (std::size_t g = 0; g < groups_; ++g) {
        std::vector<IntegerProgram::Term> terms;
        for (std::size_t l = 0; l < layers(); ++l)
            for (std::size_t e = 0; e < experts(l); ++e)
                terms.push_back({at(l, e, g), static_cast<double>(weight(l, e))});
        program.require("memory", fmt::format("g{}", g), -IntegerProgram::infinity, std::move(terms),
                        static_cast<double>(most[g]));
    }
}

void PlacementColumns::require_load_cap(IntegerProgram& program, const Matrix<double>& load, double factor) const {
    for (std::size_t l = 0; l < layers(); ++l) {
        double sum = 0;
        for (const std::size_t e : experts_[l]) sum += load(l, e);
        for (std::size_t g = 0; g < groups_; ++g) {
            std::vector<IntegerProgram::Term> terms;
            for (std::size_t e = 0; e < experts(l); ++e) terms.push_back({at(l, e, g), load(l, experts_[l][e])});
            program.require("load_cap", fmt::format("l{}_g{}", l, g), -IntegerProgram::infinity, std::move(terms),
                            factor * sum / static_cast<double>(groups_));
        }
    }
}

void PlacementColumns::break_symmetry(IntegerProgram& program, std::span<const std::size_t> like) const {
    if (layers() == 0) return;
    for (std::size_t g = 0; g < groups_; ++g) {
        // The group before it among those that are alike.
        std::size_t before = g;
        while (before > 0 && like[--before] != like[g]) {
        }
        if (before == g || like[before] != like[g]) continue;
        for (std::size_t e = 0; e < experts(0); ++e) {
            std::vector<IntegerProgram::Term> terms{{at(0, e, g), 1}};
            for (std::size_t earlier = 0; earlier < e; ++earlier) terms.push_back({at(0, earlier, before), -1});
            program.require("symmetry", fmt::format("{}_g{}", name(0, e), g), -IntegerProgram::infinity,
                            std::move(terms), 0);
        }
    }
}

void PlacementColumns::put(std::span<double> x, const std::vector<std::vector<std::uint32_t>>& place) const {
    for (std::size_t l = 0; l < layers(); ++l)
        for (std::size_t e = 0; e < experts(l); ++e) x[at(l, e, place[l][e])] = 1;
}

std::vector<std::vector<std::uint32_t>> PlacementColumns::place(std::span<const double> x) const {
    std::vector<std::vector<std::uint32_t>> place(layers());
    for (std::size_t l = 0; l < layers(); ++l)
        for (std::size_t e = 0; e < experts(l); ++e) {
            std::uint32_t g = 0;
            while (g + 1 < groups_ && x[at(l, e, g)] < 0.5) ++g;
            place[l].push_back(g);
        }
    return place;
}

void rename_groups(std::vector<std::vector<std::uint32_t>>& place, std::span<const std::size_t> like) {
    if (place.empty()) return;
    constexpr std::uint32_t none = 0xffffffff;
    std::vector<std::uint32_t> name(like.size(), none);
    std::vector<bool> given(like.size());
    const auto rename = [&](std::uint32_t g) {
        if (name[g] != none) return;
        std::uint32_t next = 0;
        while (given[next] || like[next] != like[g]) ++next;
        given[next] = true;
        name[g] = next;
    };
    for (const std::uint32_t g : place[0]) rename(g);
    for (std::uint32_t g = 0; g < like.size(); ++g) rename(g);
    for (auto& layer : place)
        for (std::uint32_t& g : layer) g = name[g];
}

}  // namespace moesim
