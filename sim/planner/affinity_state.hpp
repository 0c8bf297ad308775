#pragma once
// The crossing cost of a placement during a search by swaps, in integers: exact however long the search is.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"

namespace moesim {

class AffinityState {
  public:
    // flow: [transition][expert][expert of the next layer]; place: [layer][expert]; cost: [from position][to position],
    // 0 on the diagonal. Flows and costs are rounded to integers; unit() is what 1 in them means.
    AffinityState(const std::vector<Matrix<double>>& flow, const Matrix<std::uint32_t>& place,
                  const Matrix<double>& cost);

    [[nodiscard]] std::size_t layers() const { return place_.rows(); }
    [[nodiscard]] std::size_t experts() const { return place_.cols(); }
    [[nodiscard]] std::size_t at(std::size_t layer, std::size_t e) const { return place_(layer, e); }
    [[nodiscard]] const Matrix<std::uint32_t>& place() const { return place_; }
    [[nodiscard]] double unit() const { return unit_; }

    // What it costs more when two experts of a layer change places.
    [[nodiscard]] std::int32_t increase(std::size_t layer, std::size_t a, std::size_t b) const {
        const Matrix<std::int32_t>& c = cost_at_[layer];
        const std::size_t p = place_(layer, a), q = place_(layer, b);
        return c(q, a) - c(p, a) + c(p, b) - c(q, b);
    }
    void swap(std::size_t layer, std::size_t a, std::size_t b);

  private:
    void add(std::size_t layer, std::size_t row, std::int32_t times);
    Matrix<std::uint32_t> place_;
    Matrix<std::int32_t> cost_;                             // [from position][to position]
    std::vector<Matrix<std::int32_t>> forward_, backward_;  // [transition][expert][expert of the other layer]
    std::vector<Matrix<std::int32_t>> cost_at_;             // [layer][position][expert]: of it there, its neighbours as
                                                            // they are
    std::vector<std::int32_t> difference_;                  // [expert]
    double unit_ = 1;
};

}  // namespace moesim
