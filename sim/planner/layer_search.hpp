#pragma once
// Simulated annealing of one layer's placement on its time.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/random.hpp"
#include "planner/layer_time_state.hpp"

namespace moesim {

struct LayerEffort {
    double from = 0, to = 0;     // temperature, in what a proposal changes by and large; 0: downhill only
    std::int64_t proposals = 0;  // or, where there is a clock, as many as it lets: how much has passed, 0 to 1
    std::function<double()> passed;
};

class LayerSearch {
  public:
    using Copies = LayerTimeState::Copies;

    // most: [position]: copies that it may hold.
    LayerSearch(const LayerTimeModel& model, LayerId layer, const std::vector<Copies>& start,
                std::vector<std::size_t> most, RandomStream random);

    // Returns how many proposals were made.
    std::int64_t run(const LayerEffort& effort);

    [[nodiscard]] double best_time() const { return best_time_; }
    [[nodiscard]] const std::vector<Copies>& best() const { return best_; }

  private:
    bool propose();
    bool propose_swap();
    bool propose_move();
    bool propose_more();
    bool propose_less();
    bool replace(std::size_t expert, std::uint32_t from, std::uint32_t to);
    bool add(std::size_t expert, std::uint32_t position);
    bool drop(std::size_t expert, std::uint32_t position);
    std::int64_t deal_two_positions(double trust);
    double mean_change(std::int64_t proposals);
    void accept(const LayerTimeState::Value& value);
    [[nodiscard]] bool room(std::size_t position) const { return state_.at(position).size() < most_[position]; }
    std::uint32_t below(std::size_t n) { return random_.below(static_cast<std::uint32_t>(n)); }
    std::size_t any_position();

    LayerTimeState state_;
    std::vector<std::size_t> most_;
    bool rooms_ = false;  // more places than there are experts
    RandomStream random_;
    LayerTimeState::Value now_;
    double best_time_, best_guide_;
    std::vector<Copies> best_;
};

}  // namespace moesim
