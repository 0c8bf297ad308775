#pragma once
// The part of a scenario that says which token goes to which expert.
#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "config/reference.hpp"
#include "config/workload_model.hpp"

namespace moesim {

struct ModelSpec;
struct ParallelismSpec;

// How popular the experts of a layer are. Where nothing else is said, an order or a draw is made anew for each layer.

// p_e proportional to 1 / r_e^exponent, r_e the expert's place (from 1) in an order. Exponent 0 is uniform.
struct ZipfSpec {
    double exponent = 0;
    bool operator==(const ZipfSpec&) const = default;
};
// A draw from the symmetric Dirichlet distribution: the smaller the concentration, the more uneven.
struct DirichletSpec {
    double concentration = 1;
    bool operator==(const DirichletSpec&) const = default;
};
// Each expert's weight is drawn with a density proportional to x^-exponent on [low, high].
struct PowerLawSpec {
    double exponent = 1, low = 0, high = 1;
    bool operator==(const PowerLawSpec&) const = default;
};
// Each expert's weight is exp(sigma z), z standard normal.
struct LogNormalSpec {
    double sigma = 0;
    bool operator==(const LogNormalSpec&) const = default;
};
// Given weights, one row for all layers or one a layer; they need not sum to 1.
struct WeightsSpec {
    std::vector<std::vector<double>> weights;  // [layer or 1][expert]
    bool operator==(const WeightsSpec&) const = default;
};

// `count` experts of each layer together take `share` of the popularity; every `move_every` steps others are the hot
// ones (0: never).
struct HotExpertsSpec {
    std::int64_t count = 1;
    double share = 0;
    std::int64_t move_every = 0;
    bool operator==(const HotExpertsSpec&) const = default;
};
// The experts of one expert-parallel position, under contiguous placement, together take `share`.
struct HotRankSpec {
    std::int64_t position = 0;
    double share = 0;
    bool operator==(const HotRankSpec&) const = default;
};
// Of the windows of `tokens` successive tokens of a source, a part `probability` gives `share` of its choices to
// `count` experts that are drawn for that window.
struct BurstSpec {
    std::int64_t tokens = 1;
    double probability = 0;
    std::int64_t count = 1;
    double share = 0;
    bool operator==(const BurstSpec&) const = default;
};

struct PopularitySpec {
    std::variant<ZipfSpec, DirichletSpec, PowerLawSpec, LogNormalSpec, WeightsSpec> base;
    std::int64_t silent_experts = 0;  // of each layer, drawn; they are never chosen
    std::optional<HotExpertsSpec> hot_experts;
    std::optional<HotRankSpec> hot_rank;
    std::optional<BurstSpec> bursts;
    double source_spread = 0;  // each source multiplies each expert's popularity by exp(source_spread z)
    double drift = 0;          // each step multiplies it by exp(drift z): a random walk
    bool operator==(const PopularitySpec&) const = default;
};

enum class Policy : unsigned char {
    softmax_topk,
    hard_topk,
    top1,
    uniform,
    hash,
    expert_choice,
    sinkhorn,
    bias_balanced,
    group_limited,
    hierarchical,
    null_experts,
    dynamic_k,
    recurrent,
    trace
};
inline constexpr std::array<std::string_view, 14> policy_names = {
    "softmax_topk",  "hard_topk", "top1",          "uniform",       "hash",
    "expert_choice", "sinkhorn",  "bias_balanced", "group_limited", "hierarchical",
    "null_experts",  "dynamic_k", "recurrent",     "trace"};  // [Policy]

// hash and uniform have no gate; a trace has had one.
bool has_gate(Policy policy);
// Those that rank a token's experts and take the first ones, so that there is a next one.
bool ranks_experts(Policy policy);

// How a group of experts is rated: by its best probability, or by the sum of its two best.
enum class GroupScore : unsigned char { max, top2_sum };
inline constexpr std::array<std::string_view, 2> group_score_names = {"max", "top2_sum"};

// How k runs over the layers.
enum class Schedule : unsigned char { uniform, descending, ascending, pyramid, wave };
inline constexpr std::array<std::string_view, 5> schedule_names = {"uniform", "descending", "ascending", "pyramid",
                                                                   "wave"};

// What becomes of a choice whose expert is full.
enum class Overflow : unsigned char { drop, next_choice };
inline constexpr std::array<std::string_view, 2> overflow_names = {"drop", "next_choice"};

// bias_balanced: as many batches of so many tokens were seen, and the bias moved by `rate` after each.
struct BiasSpec {
    double rate = 0.001;
    std::int64_t steps = 300;
    std::int64_t tokens = 512;
    bool operator==(const BiasSpec&) const = default;
};
// group_limited: tiers = 1. Tiers hold groups, groups hold experts; runs of equal length.
struct GroupSpec {
    std::int64_t tiers = 1, chosen_tiers = 1;
    std::int64_t groups = 1, chosen_groups = 1;  // of all tiers together
    GroupScore score = GroupScore::top2_sum;
    bool operator==(const GroupSpec&) const = default;
};
// null_experts: so many experts that do nothing, together as popular as `share` of all.
struct NullSpec {
    std::int64_t count = 1;
    double share = 0;
    bool operator==(const NullSpec&) const = default;
};
// dynamic_k: a token takes its best experts until their probabilities add up to `threshold`, at most k of the layer.
struct DynamicKSpec {
    double threshold = 1;
    std::int64_t least = 1;
    Schedule schedule = Schedule::uniform;
    bool operator==(const DynamicKSpec&) const = default;
};
struct RoutingSpec {
    Policy policy = Policy::softmax_topk;
    PopularitySpec popularity;
    // nothing: logits are log(popularity) + Gumbel noise, so that the first choice follows the popularity exactly;
    // a value: log(popularity) + normal noise of that standard deviation.
    std::optional<double> gaussian_noise;
    double affinity = 0;    // the part of the tokens that repeat, from one layer to the next, the choices made there
    std::int64_t step = 0;  // of training or serving: what drifts and moves has done so this often
    std::shared_ptr<const WorkloadModel> model;  // in the place of popularity: learned from a trace
    std::optional<double> capacity_factor;       // nothing: dropless (expert_choice: 1)
    Overflow overflow = Overflow::drop;
    std::vector<double> skipped;  // [layer], or one for all: the part of the tokens that bypass the layer
    BiasSpec bias;
    GroupSpec groups;
    NullSpec nulls;
    DynamicKSpec dynamic_k;
    double recurrence = 0;  // recurrent: added to the logit of what continues the previous layer's choices
    std::string trace;      // trace: the file that is replayed; named, not embedded, in results
    bool operator==(const RoutingSpec& o) const;
};

// Throws InputError where a key is unknown, not of the policy, or impossible for the model. A trace's path is taken
// relative to the scenario's own file; the file is read when the run is set up.
RoutingSpec parse_routing(const JsonValue& value, const ModelSpec& model, const ParallelismSpec& parallelism,
                          const ResolveFile& resolve);
// All that the policy looks at, defaults written out.
nlohmann::ordered_json to_json(const RoutingSpec& routing);

}  // namespace moesim
