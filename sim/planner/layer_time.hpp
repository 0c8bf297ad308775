#pragma once
// The time of one MoE layer under a placement, in closed form: what a search asks, and the simulation is asked after.
//
// Of a part (one chunk of one micro-batch) with its share of the scenario's tokens:
//   dispatch d = start-up + bytes of the busiest link / its usable capacity; 0 where nothing leaves its GPU
//   expert   x = max over positions of (StageCost::expert + sum_up) / the GPU's speed, on cores that no other rank uses
//   return   r = as dispatch, over the links backwards, rows of the return format
// The c chunks of a micro-batch are parts of a pipeline of these three stages, each of which works on one at a time:
//   chunks = d + x + r + (c - 1) max(d, x, r)
// In a sequential order m micro-batches come one after another: layer = m chunks. In an interleaved one, what the GPU
// computes for one of them, with a for what no placement changes (attention, gate, select, shared experts, residual),
// runs beside what the network moves for others, and what takes longer decides:
//   layer = max(m (a + c x), m c (d + r), a + chunks)
// Left out: a in a sequential order, packing and unpacking; windows, gaps between messages and forwarding order of
// all-to-all algorithms (dispatch.dedup says what travels); libraries' own limits; tokens that stay with their experts
// (context-coherent dispatch is taken for the classical one); faults of links. A straggler is as slow in a layer as it
// is on average while that layer would run if all layers took as long as the first one does under contiguous placement.
#include <cstdint>
#include <span>
#include <vector>

#include "config/scenario.hpp"
#include "cost/stage_cost.hpp"
#include "placement/placement.hpp"
#include "planner/group_flows.hpp"
#include "planner/workload_counts.hpp"

namespace moesim {

struct LeastTraffic;
struct LayerTime {
    Seconds dispatch, expert, back;  // of one part
    Seconds total;                   // of all micro-batches
};

// How fast a rank is from `begin` to `end` on average, of a straggler's specification; 1 where it is not slow then.
double mean_speed(const StragglerSpec& straggler, Seconds begin, Seconds end);

// Holds references to the workload's trace, the scenario and the fabric.
class LayerTimeModel {
  public:
    // Of more than `most_tokens` tokens of the trace, as many at even distances are looked at. Equal runs of them are
    // the sources, one a position. Throws InputError where the workload has no tokens.
    LayerTimeModel(const WorkloadCounts& workload, const Scenario& scenario, const Fabric& fabric,
                   std::size_t most_tokens = 8192);

    [[nodiscard]] LayerTime time(const Placement& placement, LayerId layer) const;
    [[nodiscard]] Seconds mean_time(const Placement& placement) const;
    // No placement with at most `slots` copies of experts a position is faster. Expert stage: positions compute all
    // rows, however these are shared out among them by their speeds, and some position has the mean number of experts
    // that are used (StageCost::expert grows with rows and with experts, and never shrinks where rows are shared out
    // among more experts); without room for copies, some position has the heaviest expert, and the slowest one has
    // `slots` experts, the lightest or heavier ones, as has the heaviest expert beside it; means are those of
    // StageCost::expert_at_least. Experts take no
    // time where their kernel was fitted: its tiles may change with more rows. Traffic: least_traffic().
    // Without `traffic` nothing has to move, which is known at once.
    [[nodiscard]] LayerTime bound(LayerId layer, std::size_t slots, bool traffic = true) const;
    [[nodiscard]] Seconds mean_bound(std::size_t slots) const;  // of the layers

    // What a search needs to do the same in steps.
    [[nodiscard]] LayerTime together(Seconds dispatch, Seconds expert, Seconds back) const;
    // Of a position; counts: of its experts, in tokens that are looked at; received: copies of tokens that come to it.
    [[nodiscard]] Seconds expert_time(LayerId layer, std::size_t position, std::span<const std::int64_t> counts,
                                      std::int64_t received) const;
    [[nodiscard]] Seconds link_time(double busiest) const {  // of the busiest link's bytes
        return busiest > 0 ? flows_.start_up() + Seconds(busiest) : Seconds{};
    }
    [[nodiscard]] const GroupFlows& flows() const { return flows_; }
    [[nodiscard]] double dispatch_bytes() const { return scale_ * dispatch_row_; }  // of a row that is looked at
    [[nodiscard]] double return_bytes() const { return scale_ * return_row_; }
    [[nodiscard]] Dedup dedup() const { return scenario_.dispatch.dedup; }
    [[nodiscard]] ReplicaPolicy replicas() const { return scenario_.placement.replicas; }
    [[nodiscard]] const RankGrid& group() const { return group_; }  // of one group alone
    [[nodiscard]] const Fabric& fabric() const { return fabric_; }
    [[nodiscard]] std::size_t positions() const { return group_.expert(); }
    [[nodiscard]] std::size_t experts() const { return workload_.experts; }
    [[nodiscard]] std::size_t layers() const { return workload_.layers; }
    [[nodiscard]] std::size_t tokens() const { return tokens_; }
    [[nodiscard]] std::size_t width() const { return workload_.top_k; }
    [[nodiscard]] std::vector<double> speeds() const;  // [position], relative, mean over layers
    [[nodiscard]] std::size_t source_begin(std::size_t source) const;
    [[nodiscard]] std::span<const ExpertIndex> choices(std::size_t token, LayerId layer) const;

  private:
    [[nodiscard]] Seconds least_expert_time(LayerId layer, std::size_t slots, const LeastTraffic& traffic) const;
    void slow_down();
    const WorkloadCounts& workload_;
    const Scenario& scenario_;
    const Fabric& fabric_;
    RankGrid grid_, group_;
    MessageModel messages_;
    GroupFlows flows_;
    StageCost cost_;
    std::size_t tokens_ = 0;
    double scale_ = 1;  // tokens of a part of a group for each that is looked at
    double dispatch_row_ = 0, return_row_ = 0;
    std::int64_t chunks_ = 1, micro_batches_ = 1;
    bool interleaved_ = false;
    Seconds other_;         // of a micro-batch, what a rank computes whatever the placement
    Matrix<double> speed_;  // [layer][position], relative
};

}  // namespace moesim
