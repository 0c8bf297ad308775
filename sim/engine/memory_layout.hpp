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
    Bytes expert_input;   // rows received for the rank's experts
    Bytes expert_output;  // their results, before the return
    Bytes returned;       // results that came back, before the combine
    Bytes temporary;      // the largest of: inner activations of a chunk's experts, logits, attention projections
    Bytes reserved;       // driver and communication library

    [[nodiscard]] Bytes total() const;
    // Name and size of each part, in the order above.
    [[nodiscard]] std::array<std::pair<std::string_view, Bytes>, 10> parts() const;
};

// Collects the largest need of each buffer while exchanges are counted.
class MemoryTally {
  public:
    explicit MemoryTally(const Plan& plan);
    // All chunks of one micro-batch of one layer; their buffers are alive together.
    void add(const std::vector<Exchange>& chunks);
    // [rank]. Buffers exist once, or where micro-batches are interleaved, once for each of them.
    [[nodiscard]] std::vector<MemoryLayout> layouts() const;

  private:
    const Scenario& scenario_;
    const Placement& placement_;
    RankGrid grid_;
    std::vector<std::int64_t> sent_, received_;  // [rank]: largest rows of a micro-batch
    std::vector<std::int64_t> chunk_rows_;       // [rank]: largest rows that the experts of a chunk compute
    std::vector<std::int64_t> tokens_;           // [rank]: largest tokens of a micro-batch
};

}  // namespace moesim
