#pragma once
// The part "experts" of a moesim.profile/1: kernels that compute the experts of one rank, each as a law of a few
// figures fitted to timed calls. The law that reads them is sim/cost/expert_kernel.hpp.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "config/dtype.hpp"
#include "config/fit_record.hpp"
#include "config/sourced.hpp"

namespace moesim {

struct JsonValue;

// What a scenario calls the first-principles costs of the profile in the place of a fitted kernel.
inline constexpr const char* roofline_kernel = "roofline";

// The piece of the output that one multiprocessor works on at a time, and for which calls the kernel takes it: those
// for which all that is there holds. With nothing of it: all that are left.
struct ExpertTile {
    std::optional<std::int64_t> most_tokens;
    std::optional<double> most_tokens_an_expert;    // of the rank
    std::optional<std::int64_t> experts, inner;     // exactly so many on the rank, so wide: tiles tuned for a shape
    std::int64_t rows = 0, columns = 0, depth = 0;  // of the output, and of the inner loop's step
    std::int64_t group =
        1;  // tiles below each other that are computed while the weights to their right stay in the cache
    [[nodiscard]] bool bounded() const { return most_tokens || most_tokens_an_expert || experts || inner; }
    bool operator==(const ExpertTile&) const = default;
};

struct ExpertKernel {
    std::string name;  // "vllm-bf16"
    Dtype dtype = Dtype::bf16;
    Sourced<std::vector<ExpertTile>> tiles;  // the first that applies
    Sourced<Seconds> launch;                 // of all kernels of a call
    Sourced<Seconds> step;                   // of a tile's inner loop, alone on the GPU, on data in the cache ...
    Sourced<Seconds> far_step;               // ... and this much more where the data has to come from memory
    Sourced<FlopsPerSecond> tile_rate;       // at which whole tiles pass, filled or not
    Sourced<FlopsPerSecond> row_rate;        // at which the rows in them pass, on top of that
    Sourced<BytesPerSecond> weight_rate;     // at which weights come from memory
    Sourced<BytesPerSecond> element_rate;    // of what is done element by element
    Sourced<double> element_slowdown;        // with large buffers that takes up to 1 + this ...
    Sourced<Bytes> element_span;             // ... half of it where they are so large
    Sourced<Seconds> choice_time;            // of each token's choice, however wide: sorting choices by expert
    Sourced<Bytes> cache;                    // a working set of which half has to come from memory
    Sourced<double> cache_gain;              // the cache is faster than memory by 1 + this
    Sourced<double> slowdown;                // work that goes on for long takes up to 1 + this ...
    Sourced<Seconds> slowdown_time;          // ... half of it where it would take so long otherwise; above 0
    Sourced<double> work_overlap;            // q of the q-norm in which work and bytes add up; [1, 100]
    Sourced<double> overlap;                 // p of the p-norm in which that and waiting add up; [1, 100]
    std::optional<FitRecord> fit;
    bool operator==(const ExpertKernel&) const = default;
};

struct ExpertsProfile {
    std::vector<ExpertKernel> kernels;
    // The kernel that a simulation's expert stage takes for each data type; empty: none of them.
    std::string bf16, fp8;

    [[nodiscard]] const std::string& stage(Dtype d) const { return d == Dtype::fp8 ? fp8 : bf16; }
    [[nodiscard]] const ExpertKernel* find(const std::string& name) const;  // null where there is none
    [[nodiscard]] bool empty() const { return kernels.empty(); }
    bool operator==(const ExpertsProfile&) const = default;
};

// Empty where `value` is absent. Throws InputError.
ExpertsProfile parse_experts(const JsonValue& value);
nlohmann::ordered_json to_json(const ExpertsProfile& experts);

}  // namespace moesim
