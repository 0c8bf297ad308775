#pragma once
// How often each expert of each layer is wanted: the synthetic workload models.
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"
#include "config/scenario.hpp"

namespace moesim {

// All of a PopularitySpec at one step. The same seed gives the same popularities; each layer has its own.
class Popularity {
  public:
    Popularity(const RoutingSpec& routing, const ModelSpec& model, const ParallelismSpec& parallelism,
               std::uint64_t seed);

    [[nodiscard]] std::size_t layers() const { return common_.rows(); }
    [[nodiscard]] std::size_t experts() const { return common_.cols(); }
    // [expert], summing to 1 (up to rounding): what all sources have in common.
    [[nodiscard]] std::span<const double> common(LayerId layer) const { return common_.row(layer.value()); }
    // [expert], summing to 1: the mix of one source.
    [[nodiscard]] std::vector<double> of_source(LayerId layer, std::size_t source) const;

    [[nodiscard]] bool has_sources() const { return spec_.source_spread > 0; }
    [[nodiscard]] bool has_bursts() const { return spec_.bursts && spec_.bursts->share > 0; }
    // Tokens whose number divided by this is the same see the same popularity.
    [[nodiscard]] std::int64_t window() const { return spec_.bursts->tokens; }
    // A source's mix within a window of its tokens.
    [[nodiscard]] std::vector<double> in_window(std::span<const double> mix, LayerId layer, std::size_t source,
                                                std::int64_t window) const;

  private:
    PopularitySpec spec_;
    std::uint64_t seed_;
    Matrix<double> common_;  // [layer][expert]
};

}  // namespace moesim
