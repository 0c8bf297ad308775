#pragma once
// Learning a workload model from a recorded routing.
#include <cstdint>
#include <functional>
#include <string>

#include "config/trace/trace.hpp"
#include "config/workload_model.hpp"

namespace moesim {

struct FitOptions {
    std::string name, source;              // go into the model
    std::size_t sources = 8;               // equal runs of the trace's tokens that each get a mix of their own
    bool transitions = true;               // false: popularity alone, for comparison
    std::uint64_t seed = 1;                // of the tokens that calibrate the weights
    std::function<void(double)> progress;  // told the share that is done; may be empty
};

// Ratios are relative frequencies over what independence would give, smoothed towards it by pseudo-counts (Dirichlet
// smoothing: 2 for first choices, 10 for others). Weights are then calibrated: tokens are drawn from the model, layer
// after layer, and the weights moved until each source's drawn popularity is the recorded one, itself shrunk towards
// the common one by 30 pseudo-tokens, and that towards even by the part of its variance that sampling explains.
// Throws InputError where the trace has no token with an expert in some layer, or is of sizes that no document holds.
WorkloadModel fit_workload(const RoutingTrace& trace, const FitOptions& options);

// From loads alone: one source, no transitions; a token's k experts are drawn without replacement.
WorkloadModel fit_popularity(const LoadTable& loads, std::size_t top_k, const FitOptions& options);

}  // namespace moesim
