#pragma once
// How many positions the experts of a token are on, summed over tokens and layers, during a search by swaps: the
// connectivity of a hypergraph (as Catalyurek and Aykanat have it, IEEE TPDS 10(7), 1999), whose nets are tokens.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"
#include "config/trace/trace.hpp"

namespace moesim {

// What joins the experts that a token chose in a layer in a net.
enum class Dispatch : unsigned char {
    classical,  // nothing: a token starts at a position that has nothing to do with its experts
    coherent    // its first choice of the layer before, where it has stayed (ExFlow's context-coherent expert
                // parallelism)
};

class ConnectivityState {
  public:
    // place: [layer][expert], its columns possibly more than the trace has experts.
    ConnectivityState(const RoutingTrace& trace, Dispatch dispatch, const Matrix<std::uint32_t>& place,
                      std::size_t positions);

    [[nodiscard]] std::size_t layers() const { return place_.rows(); }
    [[nodiscard]] std::size_t experts() const { return place_.cols(); }
    [[nodiscard]] std::size_t at(std::size_t layer, std::size_t e) const { return place_(layer, e); }
    [[nodiscard]] const Matrix<std::uint32_t>& place() const { return place_; }
    [[nodiscard]] std::size_t nets() const { return positions_ > 0 ? held_.size() / positions_ : 0; }
    [[nodiscard]] std::int64_t value() const;  // positions of each net, summed up

    // What the value rises by when two experts of a layer change places.
    [[nodiscard]] std::int32_t increase(std::size_t layer, std::size_t a, std::size_t b);
    void swap(std::size_t layer, std::size_t a, std::size_t b);

  private:
    using Net = std::uint32_t;
    [[nodiscard]] std::int32_t move(Net net, std::size_t from, std::size_t to) const {
        const std::uint16_t* h = &held_[std::size_t{net} * positions_];
        return (h[to] == 0 ? 1 : 0) - (h[from] == 1 ? 1 : 0);
    }
    Matrix<std::uint32_t> place_;
    std::size_t positions_;
    std::vector<std::vector<Net>> nets_of_;  // [layer * experts + expert]
    std::vector<std::uint16_t> held_;        // [net][position]: its experts there
    std::vector<std::uint32_t> seen_;        // [net]: the last call of increase that met it
    std::uint32_t call_ = 0;
};

}  // namespace moesim
