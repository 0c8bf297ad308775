#pragma once
// Which expert lives where.
#include <vector>

#include "base/ids.hpp"
#include "base/matrix.hpp"
#include "config/scenario.hpp"

namespace moesim {

// Every expert of every layer on exactly one of the expert-parallel positions 0..E-1 of a group. A position is the
// place of a data-parallel index in its group; all groups are placed alike.
class Placement {
  public:
    // position: [layer][expert], each below `positions`.
    Placement(Matrix<std::uint32_t> position, std::size_t positions);

    [[nodiscard]] std::size_t layers() const { return position_.rows(); }
    [[nodiscard]] std::size_t experts() const { return position_.cols(); }
    [[nodiscard]] std::size_t positions() const { return positions_; }
    [[nodiscard]] std::size_t position(LayerId layer, std::size_t expert) const {
        return position_(layer.value(), expert);
    }
    // Experts at one position, summed over layers: what its weights take memory for.
    [[nodiscard]] std::size_t experts_at(std::size_t position) const;

  private:
    Matrix<std::uint32_t> position_;
    std::size_t positions_;
};

// contiguous: expert e at e / (experts / positions). round_robin: at e mod positions.
// The parser sees to it that positions divides experts.
Placement make_placement(PlacementMethod method, const ModelSpec& model, const ParallelismSpec& parallelism);

}  // namespace moesim
