#pragma once
// moesim.scenario/1: what to simulate. All of it is validated; sizes that have to fit each other, do.
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/units.hpp"
#include "config/dispatch_spec.hpp"
#include "config/dtype.hpp"
#include "config/network_spec.hpp"
#include "config/placement_spec.hpp"
#include "config/profile.hpp"
#include "config/routing_spec.hpp"
#include "config/shared_cores.hpp"
#include "config/topology_spec.hpp"

namespace moesim {

struct AttentionSpec {
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;  // grouped-query attention where fewer than heads
    std::int64_t head_dim = 0;
    bool causal = true;
    bool operator==(const AttentionSpec&) const = default;
};

struct ModelSpec {
    std::int64_t hidden = 0;
    Dtype dtype = Dtype::bf16;  // of weights and matrix products
    std::int64_t moe_layers = 0;
    std::int64_t experts = 0;  // routed experts a layer
    std::int64_t top_k = 0;
    std::int64_t expert_ffn = 0;  // inner width of one routed expert
    bool gated = true;            // SwiGLU: two input projections, else one
    std::int64_t shared_experts = 0;
    std::int64_t shared_ffn = 0;  // inner width of one shared expert
    std::int64_t dense_layers_per_moe_layer = 0;
    std::int64_t dense_ffn = 0;
    std::optional<AttentionSpec> attention;  // absent: the attention block costs nothing
    // A kernel of the profile's `experts`, or "roofline"; empty: what the profile says for the data type, else that.
    std::string expert_kernel;
    bool operator==(const ModelSpec&) const = default;
};

struct BatchSpec {
    std::int64_t sequences = 0;            // of the whole batch, over all GPUs
    std::int64_t tokens_per_sequence = 0;  // that go through the model now: the prompt, or 1 when decoding
    std::int64_t first_token = 0;          // tokens of the same workload that came before: other choices, same habits
    std::int64_t context = 0;              // earlier tokens that each sequence attends to (decoding)
    std::vector<double> source_weights;    // [data]: how the tokens are shared out; empty: evenly
    double source_spread = 0;              // and each share is multiplied by exp(source_spread z), z standard normal
    [[nodiscard]] std::int64_t tokens() const { return sequences * tokens_per_sequence; }
    bool operator==(const BatchSpec&) const = default;
};

// How the ranks of a tensor-parallel group sum up what they hold.
enum class AllReduce : unsigned char { ring, tree };

// Ranks form a grid of `data` x `tensor`; rank = data index * tensor + tensor index. Runs of `expert` data indices
// hold one full set of the experts each.
struct ParallelismSpec {
    std::int64_t data = 1;
    std::int64_t expert = 1;
    std::int64_t tensor = 1;
    AllReduce all_reduce = AllReduce::ring;
    // Runs of so many data indices hold equal parts of each of their sequences, and pass keys and values around.
    std::int64_t sequence = 1;
    [[nodiscard]] std::int64_t ranks() const { return data * tensor; }
    bool operator==(const ParallelismSpec&) const = default;
};

// sequential: a micro-batch goes through all layers before the next one starts.
// interleaved: in every layer all micro-batches take turns, so that one computes while another communicates.
enum class Order : unsigned char { sequential, interleaved };

struct ScheduleSpec {
    std::int64_t micro_batches = 1;
    std::int64_t chunks = 1;  // parts of a micro-batch that are dispatched, computed and returned one after another
    Order order = Order::sequential;
    bool operator==(const ScheduleSpec&) const = default;
};

// A GPU that runs at `speed` times its nominal rate between two moments of the simulation.
struct StragglerSpec {
    RankId rank;
    double speed = 1;
    Seconds from;
    std::optional<Seconds> until;                                                        // nothing: to the end
    [[nodiscard]] bool passes() const { return from > Seconds{} || until.has_value(); }  // only for a while
    bool operator==(const StragglerSpec&) const = default;
};

struct Scenario {
    std::string name;
    std::string description;
    std::string source;
    std::uint64_t seed = 1;
    TopologySpec topology;
    Profile profile;
    ModelSpec model;
    BatchSpec batch;
    ParallelismSpec parallelism;
    RoutingSpec routing;
    PlacementSpec placement;
    DispatchSpec dispatch;
    ScheduleSpec schedule;
    NetworkSpec network;
    std::vector<StragglerSpec> stragglers;
    std::vector<SharedCoresSpec> shared_cores;  // none of their ranks is a straggler for a part of the time
    bool operator==(const Scenario&) const = default;
};

}  // namespace moesim
