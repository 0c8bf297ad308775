#pragma once
// What the integer programs that place experts have in common: columns x[layer][expert][group], 1 where the expert is
// in the group, a group being a position or a node; and the rows that make them a placement.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "planner/integer_program.hpp"
#include "planner/problem.hpp"

namespace moesim {

// How many experts of a layer a group holds.
struct GroupSize {
    std::size_t least = 0, most = 0;
    bool operator==(const GroupSize&) const = default;
};

// experts / positions, rounded down and up.
GroupSize even_size(const PlannerProblem& problem);
// Experts of all layers that a position's memory holds; without a limit, those of all layers.
std::size_t memory_limit(const PlannerProblem& problem);
// experts / positions on each position, one after the other; where that is not whole, the positions take turns, from
// layer to layer, in holding one more. [layer][expert]
Matrix<std::uint32_t> even_start(const PlannerProblem& problem);

// Positions that may change places without any other noticing, by their cost to and from the others: for each position
// the first one that is like it. cost: [from][to].
std::vector<std::size_t> alike(const Matrix<double>& cost);

class PlacementColumns {
  public:
    // experts: [layer], the experts of the layer that are to be placed, who are called by their place in it from here
    // on. Adds the family "one_place": every expert in exactly one group.
    PlacementColumns(IntegerProgram& program, std::vector<std::vector<std::size_t>> experts, std::size_t groups);

    [[nodiscard]] std::size_t layers() const { return experts_.size(); }
    [[nodiscard]] std::size_t experts(std::size_t layer) const { return experts_[layer].size(); }
    [[nodiscard]] std::size_t groups() const { return groups_; }
    [[nodiscard]] std::size_t at(std::size_t layer, std::size_t expert, std::size_t group) const {
        return first_[layer] + expert * groups_ + group;
    }
    // "l0_e3": how names call an expert.
    [[nodiscard]] std::string name(std::size_t layer, std::size_t expert) const;

    // Family "share": each layer's experts of a group are within its size.  [group]
    void require_sizes(IntegerProgram& program, std::span<const GroupSize> sizes) const;
    // Family `family`: in each layer, no more than `most` experts in a group.  [group]
    void require_at_most(IntegerProgram& program, const std::string& family, std::span<const std::size_t> most) const;
    // Family "memory": no more than `most` experts of all layers in a group.  [group]
    void require_memory(IntegerProgram& program, std::span<const std::size_t> most) const;
    // The same where one takes as much as several: each counts `weight`.  [layer][expert], by the experts' places
    void require_memory(IntegerProgram& program, std::span<const std::size_t> most,
                        const Matrix<std::uint32_t>& weight) const;
    // Family "load_cap": no group's load of a layer above `factor` times the mean of the layer. load: [layer][expert],
    // by the experts' own numbers.
    void require_load_cap(IntegerProgram& program, const Matrix<double>& load, double factor) const;
    // Family "symmetry": of the groups that are alike, the first that is used in the first layer is the one of the
    // lowest expert, and so on: an expert is in a group only if one before it is in the group before. like: [group], as
    // of alike().
    void break_symmetry(IntegerProgram& program, std::span<const std::size_t> like) const;

    // Values of these columns for a placement. place: [layer][expert], by the experts' places.
    void put(std::span<double> x, const std::vector<std::vector<std::uint32_t>>& place) const;
    [[nodiscard]] std::vector<std::vector<std::uint32_t>> place(std::span<const double> x) const;

  private:
    std::vector<std::vector<std::size_t>> experts_;
    std::size_t groups_;
    std::vector<std::size_t> first_;  // [layer]: its first column
};

// The same placement with groups that are alike renamed, so that it keeps break_symmetry.
void rename_groups(std::vector<std::vector<std::uint32_t>>& place, std::span<const std::size_t> like);

}  // namespace moesim
