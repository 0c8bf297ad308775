#pragma once
// The ten stages of every layer, micro-batch and chunk as a task graph.
#include <memory>
#include <vector>

#include "cost/stage_cost.hpp"
#include "engine/collective.hpp"
#include "engine/result.hpp"
#include "engine/simulate.hpp"
#include "engine/token_homes.hpp"
#include "network/alltoall/all_to_all.hpp"
#include "network/library/library_call.hpp"
#include "workload/route_stream.hpp"

namespace moesim {

// Builds the graph and counts loads and traffic into the result. Compute of a rank runs on one stream in the order in
// which it is added; each rank has one stream for dispatches and one for returns.
class Pipeline {
  public:
    explicit Pipeline(Result& result);
    void build(const Progress& progress);

  private:
    // A micro-batch in one layer, between its phases.
    struct Batch {
        std::size_t layer = 0, micro_batch = 0;
        std::vector<Exchange> exchanges;         // [chunk]
        std::vector<Exchange> returns;           // [chunk]: where they are not the same backwards
        std::vector<std::int64_t> tokens;        // [data]: that are there as the layer begins
        std::vector<CollectiveEnds> dispatched;  // [chunk]
        std::vector<CollectiveEnds> returned;    // [chunk]
        std::vector<GroupBounds::Tasks> bounds;  // [chunk]: group bounds of the dispatch
        std::vector<TaskId> shared_done;         // [rank]: shared experts, summed up; empty without them

        [[nodiscard]] const std::vector<Exchange>& coming_back() const { return returns.empty() ? exchanges : returns; }
    };

    void before_experts(Batch& b);  // attention .. dispatch
    void experts(Batch& b);         // expert, return
    void after_experts(Batch& b);   // unpack .. residual
    void route(Batch& b);
    // Attention of all ranks: where each has ended.  [rank]
    std::vector<TaskId> attend(const Batch& b, const std::vector<std::int64_t>& tokens);
    // Of ranks that share sequences: keys and values go around a ring both ways, and each rank attends to what has
    // come.
    void attend_on_ring(const Batch& b, std::span<const RankId> ranks, const std::vector<std::int64_t>& tokens,
                        std::vector<TaskId>& ended);
    // Before anything else: the keys and values of the newest tokens go to all ranks of their expert group.
    void gather_context();
    void count_layer(const Batch& b, std::int64_t chosen, std::int64_t dropped);

    [[nodiscard]] Label label(const Batch& b, Stage stage, Stream stream, std::size_t chunk = 0) const;
    // A compute task on a rank's compute stream.
    TaskId compute(Label label, std::size_t rank, Seconds duration);
    CollectiveEnds exchange(const Batch& b, std::size_t chunk, Stage stage, std::span<const TaskId> ready,
                            GroupBounds::Tasks& bounds, const GroupBounds::Tasks& held);
    // With the closed-form network: no run ends before its busiest link has carried all that it has to.
    void add_link_bound();
    // Where the ranks of each tensor-parallel group have summed up what they hold.
    std::vector<TaskId> all_reduce(const Label& label, const std::vector<TaskId>& before,
                                   const std::vector<std::int64_t>& tokens, int times);
    void count_message(const Transfer& t, std::int64_t messages, Volume& purpose);
    // What a task puts on links.
    void count_on_links(Way way, RankId from, RankId to, Bytes bytes);

    Result& result_;
    const Scenario& scenario_;
    const Ways& ways_;
    const Fabric& fabric_;  // the cluster's way, and its start-ups
    const MessageModel& messages_;
    RankGrid grid_;
    StageCost cost_;
    std::unique_ptr<const AllToAll> all_to_all_;
    std::unique_ptr<const LibraryCall> dispatch_call_, return_call_;  // nothing without a library
    GroupBounds dispatch_bounds_, return_bounds_;
    MemoryTally memory_;
    std::vector<TaskId> compute_tail_;                 // [rank]: the last task on its compute stream
    std::vector<TaskId> dispatch_tail_, return_tail_;  // [rank]: the last collective's end on that stream
    std::vector<TaskId> tensor_tail_;                  // [rank]: the last all-reduce's end
    RouteStream routes_;
    std::vector<TokenHomes> homes_;                // [micro-batch]; empty where tokens go back
    std::vector<GroupBounds::Tasks> held_bounds_;  // [micro-batch]: bounds that its next dispatch comes after
};

}  // namespace moesim
