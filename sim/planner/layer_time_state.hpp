#pragma once
// One layer's placement during a search, and its time, kept up to date from change to change.
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "planner/layer_time.hpp"
#include "traffic/copy_chooser.hpp"

namespace moesim {

// [expert]: the positions of its copies.
std::vector<std::vector<std::uint32_t>> copies_of(const Placement& placement, LayerId layer);

// A change looks at the tokens of its expert only, then at the flows that changed, then at all links' loads. Counts are
// integers: a change that is taken back leaves no trace.
class LayerTimeState {
  public:
    using Copies = std::vector<std::uint32_t>;  // positions of an expert, ascending

    LayerTimeState(const LayerTimeModel& model, LayerId layer, const std::vector<Copies>& copies);

    [[nodiscard]] std::size_t positions() const { return held_.size(); }
    [[nodiscard]] std::size_t experts() const { return copies_.size(); }
    [[nodiscard]] const std::vector<Copies>& all_copies() const { return copies_; }
    [[nodiscard]] const Copies& copies(std::size_t expert) const { return copies_[expert]; }
    // Experts with a copy at a position, one entry a copy, in any order.
    [[nodiscard]] const std::vector<std::uint32_t>& at(std::size_t position) const { return held_[position]; }
    [[nodiscard]] double expert_seconds(std::size_t position) const { return seconds_[position]; }

    void set(std::size_t expert, const Copies& copies);
    // Makes the changes since the last keep() or undo() last, after value() has seen them, or takes them back.
    void keep();
    void undo();

    struct Value {
        double time = 0;   // LayerTime::total
        double guide = 0;  // the same with each maximum softened, so that a change beside the busiest place counts
    };
    Value value();
    // The position with the longest expert time, after value().
    [[nodiscard]] std::size_t heaviest() const { return heaviest_; }

  private:
    static constexpr std::uint16_t nowhere = 0xffff;
    struct Moved {
        std::uint32_t place;  // of where_
        std::uint16_t from;
    };
    struct Before {
        std::uint32_t expert;
        Copies copies;
        std::size_t moved;  // how long moved_ was
        bool carried;       // all choices together, from one position to another
    };
    void hold(std::size_t expert, const Copies& copies);
    void release(std::size_t expert);
    void come(std::size_t expert, std::uint32_t place, std::uint16_t to);
    void put(std::uint32_t place, std::uint16_t position);
    void carry(std::size_t expert, std::uint16_t from, std::uint16_t to);
    template <std::size_t stride>
    void carry_rows(std::size_t expert, std::uint16_t from, std::uint16_t to);
    void spread(std::size_t expert, CopyChooser& chooser);
    template <std::size_t stride>
    void spread_rows(std::size_t expert, CopyChooser& chooser);
    void put_all(std::size_t expert, std::uint16_t from, std::uint16_t to);
    void add_flow(std::size_t flow, std::int32_t rows);
    void add_to_links(std::uint32_t flow, std::int32_t rows);
    void settle();
    void touch(std::size_t position);

    const LayerTimeModel& model_;
    LayerId layer_;
    const GroupFlows& flows_;
    Dedup dedup_;
    std::size_t stride_, shift_;                      // places of a token, 2^shift_: its choices, then nowhere
    std::vector<Copies> copies_;                      // [expert]
    std::vector<std::vector<std::uint32_t>> held_;    // [position]
    std::vector<std::vector<std::uint32_t>> places_;  // [expert]: of where_, ascending
    std::vector<std::uint16_t> where_;                // [token][stride]: position
    std::vector<std::uint16_t> where_node_;           // the same: node; empty where copies do not go by nodes
    std::vector<std::uint16_t> source_;               // [token]
    Matrix<std::int32_t> count_;                      // [position][expert]: choices
    std::vector<std::int64_t> received_;              // [position]: copies of tokens
    std::vector<std::int64_t> load_;                  // [link]: rows
    std::vector<double> out_, back_;                  // [link]: seconds a row
    bool mirrored_ = false;                           // back_ is a multiple of out_
    double mirror_ = 1;
    std::vector<double> seconds_;         // [position]: of experts
    std::vector<std::uint8_t> dirty_;     // [position]
    std::vector<std::uint32_t> touched_;  // positions that are dirty
    std::vector<std::int32_t> change_;    // [flow]: not yet in load_
    std::vector<std::uint32_t> changed_;  // flows that may have one
    std::size_t heaviest_ = 0;
    // Since the last keep() or undo().
    std::vector<Moved> moved_;
    std::vector<Before> before_;
    std::vector<std::pair<std::uint32_t, std::int32_t>> flowed_;  // flows and rows that came to the links
    std::vector<std::pair<std::uint32_t, double>> seconds_were_;  // of positions
    std::vector<std::int64_t> scratch_;
};

}  // namespace moesim
