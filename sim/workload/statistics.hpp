#pragma once
// What a routing looks like, layer by layer: how uneven its load is, how many experts a token or a group of tokens
// reaches, and how far an expert tells which one follows in the next layer.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/matrix.hpp"
#include "config/trace/trace.hpp"
#include "workload/load.hpp"
#include "workload/routing.hpp"

namespace moesim {

// Of the load of one layer's experts. All are 0 where nothing is loaded.
struct LoadStatistics {
    LoadBalance balance;
    double entropy_nats = 0;     // of the load as a distribution over the experts
    double entropy_share = 0;    // of the ln(experts) nats of an even load; 1 where there is one expert
    double top_tenth_share = 0;  // share of the load on the most loaded 10% of the experts, their number rounded up
    double gini = 0;
};

LoadStatistics load_statistics(std::span<const double> load);               // [expert]
std::vector<LoadStatistics> load_statistics_of(const LoadTable& recorded);  // [layer]

// Of what one layer was fed. Ratios are 0 where there is nothing to divide by.
struct LayerStatistics {
    std::int64_t tokens = 0;
    std::int64_t choices_asked = 0, choices_dropped = 0;
    std::vector<std::int64_t> load;  // [expert]: tokens that it takes, after drops
    LoadStatistics balance;
    double drop_rate = 0;                            // choices_dropped / choices_asked
    double experts_per_token = 0;                    // mean, after drops
    double without_expert_share = 0;                 // of the tokens
    std::optional<double> gate_entropy_nats;         // mean over the gated tokens of the entropy of a token's gates,
                                                     // normalised to sum to 1; none where no gates came along
    std::optional<double> unique_experts_per_group;  // mean over the whole groups; none where no group became whole
};

// Of the step from the layer before into this one.
struct TransitionStatistics {
    std::int64_t tokens = 0;                       // that have a first choice in both layers
    double previous_entropy_nats = 0;              // of the first choice in the layer before
    double entropy_nats = 0;                       // of the first choice in this layer
    double mutual_information_nats = 0;            // of the two: the plug-in estimate, too large by about
    double mutual_information_of_chance_nats = 0;  // this (see information_of_chance)
};

struct StatisticsOptions {
    // Decoding reads the weights of each expert that any token of the step chose: a group stands for one step.
    // 0: each batch that is fed is a group; else tokens are grouped in the order in which they come, across batches.
    std::int64_t group_tokens = 0;
    bool transitions = false;       // 8 experts^2 bytes for each pair of adjacent layers
    bool pair_transitions = false;  // as much again; needs top_k^2 steps a token
};

// What one layer did with some tokens.
struct RoutedBatch {
    LayerId layer;
    const Routing& chosen;              // after drops
    const Routing* previous = nullptr;  // of the same tokens one layer earlier, if that is to count for transitions
    std::int64_t asked = 0;             // choices before drops
    std::int64_t dropped = 0;
};

// Counts as batches come; what it says depends on the order of the batches of a layer only through groups, and on
// how tokens are cut into batches only where group_tokens is 0.
class RoutingStatistics {
  public:
    RoutingStatistics(std::size_t layers, std::size_t experts, StatisticsOptions options = {});

    // Throws InternalError where the batch names a layer or an expert that is not there, or where `previous` is of
    // another number of tokens.
    void add(const RoutedBatch& batch);

    [[nodiscard]] std::size_t layers() const { return counts_.size(); }
    [[nodiscard]] std::size_t experts() const { return experts_; }
    [[nodiscard]] const StatisticsOptions& options() const { return options_; }

    [[nodiscard]] LayerStatistics layer(LayerId layer) const;

    // From the layer before into this one; none where transitions were not asked for or no `previous` came along,
    // so never into the first layer.
    [[nodiscard]] std::optional<TransitionStatistics> transition(LayerId into) const;

    // [expert of the layer before][expert of this layer]: tokens whose first choices these are; a token counts only
    // where both are there. Empty where transition() is none.
    [[nodiscard]] const Matrix<std::int64_t>& first_choice_counts(LayerId into) const;
    // The same over all pairs of a token's choices; empty where pair_transitions was not asked for.
    [[nodiscard]] const Matrix<std::int64_t>& pair_counts(LayerId into) const;

  private:
    struct Counts {
        std::int64_t tokens = 0, asked = 0, dropped = 0, without_expert = 0;
        std::vector<std::int64_t> load;  // [expert]
        double gate_entropy = 0;
        std::int64_t gated_tokens = 0;
        std::int64_t groups = 0, unique_in_groups = 0;  // whole groups
        std::int64_t open_tokens = 0, open_unique = 0;  // the group that is not whole yet
        std::vector<std::int64_t> last_group;           // [expert]: 1 + the last group that it was seen in
        Matrix<std::int64_t> first_choice, pairs;       // empty until needed
    };
    void add_token(Counts& counts, std::span<const ExpertIndex> chosen) const;
    static void close_group(Counts& counts);
    void add_transitions(Counts& counts, const Routing& previous, const Routing& chosen) const;

    std::size_t experts_;
    StatisticsOptions options_;
    std::vector<Counts> counts_;  // [layer]
};

// Of a recorded trace; its sources are the batches. What a trace leaves out of a token's places counts as never asked
// for: a trace does not tell a dropped choice from one that was not made.
RoutingStatistics statistics_of(const RoutingTrace& trace, StatisticsOptions options = {});

}  // namespace moesim
