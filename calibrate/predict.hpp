#pragma once
// What a profile says of a timed call out of a table.
#include <optional>
#include <string>

#include "calibrate/tables/measured_row.hpp"
#include "config/profile.hpp"

namespace moesim {

struct Prediction {
    std::optional<Seconds> time;  // nothing: cannot be predicted
    std::string reason;           // why not: "the profile has no collectives.nccl"; empty where there is a time
};

// All-to-alls by the links, laws and messages of a simulation (uniform_call.hpp); experts by the profile's fitted
// kernel of the row's framework and data type (expert_kernel.hpp), the mean over draws of skewed loads; products by
// the roofline. Rows of other devices than the profile's are not predicted.
Prediction predict(const Profile& profile, const MeasuredRow& row);

// Of skewed loads, whose draws are not stated.
inline constexpr std::uint64_t skewed_draws = 16;

// "H100" of "NVIDIA H100 80GB HBM3", "h100_sxm" or "h100-sxm"; empty where no word looks like a GPU's name.
std::string gpu_of(const std::string& device);

// The name of the kernel in a profile that rows of this kind are fitted by: "vllm-bf16", "sglang-context-fp8"; empty
// for data types that moesim has not.
std::string kernel_name(const ExpertRow& row);

// Of one draw of loads. `rows` are those of the timed rank's experts.
Seconds predict_experts(const ExpertKernel& kernel, const ExpertRow& row, const std::vector<std::int64_t>& rows);

}  // namespace moesim
