#pragma once
// The grid of ranks: which rank is which data, expert and tensor index.
#include "base/ids.hpp"
#include "config/scenario.hpp"

namespace moesim {

// rank = data index * tensor + tensor index. An expert group is a run of `expert` data indices.
class RankGrid {
  public:
    explicit RankGrid(const ParallelismSpec& p)
        : data_(static_cast<std::size_t>(p.data)), expert_(static_cast<std::size_t>(p.expert)),
          tensor_(static_cast<std::size_t>(p.tensor)) {}

    [[nodiscard]] std::size_t ranks() const { return data_ * tensor_; }
    [[nodiscard]] std::size_t data() const { return data_; }
    [[nodiscard]] std::size_t expert() const { return expert_; }
    [[nodiscard]] std::size_t tensor() const { return tensor_; }
    [[nodiscard]] std::size_t groups() const { return data_ / expert_; }
    [[nodiscard]] RankId rank(std::size_t data, std::size_t tensor) const { return RankId(data * tensor_ + tensor); }
    [[nodiscard]] std::size_t data_of(RankId r) const { return r.value() / tensor_; }
    [[nodiscard]] std::size_t tensor_of(RankId r) const { return r.value() % tensor_; }
    // First data index of the expert group of a data index.
    [[nodiscard]] std::size_t group_begin(std::size_t data) const { return data / expert_ * expert_; }

  private:
    std::size_t data_, expert_, tensor_;
};

}  // namespace moesim
