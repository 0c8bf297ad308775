#pragma once
// What one rank keeps in its GPU's memory.
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "base/units.hpp"
#include "engine/plan.hpp"
#include "traffic/exchange.hpp"

namespace moesim {

struct MemoryLayout {
    Bytes weights;        // experts of all layers here, shared experts, dense layers, attention, gates
    Bytes kv_cache;       // keys and values of the rank's sequences, all attention layers
    Bytes input;          // activations that enter, for the whole batch part of the rank
    Bytes output;         // and that leave
    Bytes send_buffer;    // packed rows of a micro-batch
    Bytes forward;        // rows on their way to other ranks and copies of rows, and their results on the way back
    Bytes expert_input;   // rows received for the rank's experts
    Bytes expert_output;  // their results, a row a token and expert, before they are summed up and returned
    Bytes returned;       // results that came back, before the combine
    Bytes temporary;      // the largest of: inner activations (a chunk's experts, shared experts, dense
                          // layers), logits, attention projections
    Bytes reserved;       // driver and communication library

    [[nodiscard]] Bytes total() const;
    // Name and size of each part, in the order above.
    [[nodiscard]] std::array<std::pair<std::string_view, Bytes>, 11> parts() const;
};

// Of the fullest rank, for what no placement changes: everything but experts and the buffers of what is exchanged.
Bytes memory_besides_experts(const Scenario& scenario);

// Collects the largest need of each buffer while exchanges are counted.
class MemoryTally {
  public:
    explicit MemoryTally(const Plan& plan);
    // All chunks of one micro-batch of one layer; their buffers are alive together. `returns` is what comes back,
    // counted from where it comes to.
    void add(const std::vector<Exchange>& chunks, const std::vector<Exchange>& returns);
    // [rank]. Buffers exist once, or where micro-batches are interleaved, once for each of them.
    [[nodiscard]] std::vector<MemoryLayout> layouts() const;

  private:
    const Scenario& scenario_;
    const Placement& placement_;
    RankGrid grid_;
    // [rank]: the largest of any micro-batch, in rows; tokens; and of any chunk, the rows that experts compute
    std::vector<std::int64_t> sent_, returned_, received_, forwarded_, computed_, tokens_, chunk_rows_;
};

}  // namespace moesim
