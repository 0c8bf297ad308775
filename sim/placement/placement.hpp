#pragma once
// Which expert lives where.
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/matrix.hpp"
#include "config/scenario.hpp"

namespace moesim {

// Every expert of every layer on one or more of the expert-parallel positions 0..E-1 of a group. A position is the
// place of a data-parallel index in its group; all groups are placed alike. An expert on several positions is
// replicated. A position may hold two copies of one expert, as EPLB makes them at times: it takes two shares of the
// expert's tokens then, and the memory of two.
class Placement {
  public:
    // position: [layer][expert], each below `positions`; one copy of each.
    Placement(const Matrix<std::uint32_t>& position, std::size_t positions);
    // replicas: [layer][expert], the positions of its copies, at least one, below `positions`; they are kept in
    // ascending order. Throws InternalError where that does not hold.
    Placement(std::vector<std::vector<std::vector<std::uint32_t>>> replicas, std::size_t positions);

    [[nodiscard]] std::size_t layers() const { return replicas_.size(); }
    [[nodiscard]] std::size_t experts() const { return replicas_.empty() ? 0 : replicas_[0].size(); }
    [[nodiscard]] std::size_t positions() const { return positions_; }
    // Where an expert's copies are, in ascending order.
    [[nodiscard]] std::span<const std::uint32_t> replicas(LayerId layer, std::size_t expert) const {
        return replicas_[layer.value()][expert];
    }
    // The first of them.
    [[nodiscard]] std::size_t position(LayerId layer, std::size_t expert) const { return replicas(layer, expert)[0]; }
    [[nodiscard]] bool replicated() const { return replicated_; }
    // Copies of experts at one position, summed over layers: what its weights take memory for.
    [[nodiscard]] std::size_t experts_at(std::size_t position) const;
    bool operator==(const Placement&) const = default;

  private:
    std::vector<std::vector<std::vector<std::uint32_t>>> replicas_;  // [layer][expert]
    std::size_t positions_;
    bool replicated_ = false;
};

// contiguous: expert e at e / (experts / positions). round_robin: at e mod positions.
// The parser sees to it that positions divides experts.
Placement make_placement(PlacementMethod method, const ModelSpec& model, const ParallelismSpec& parallelism);
// The same, or as the scenario's document has it.
Placement make_placement(const PlacementSpec& spec, const ModelSpec& model, const ParallelismSpec& parallelism);

}  // namespace moesim
