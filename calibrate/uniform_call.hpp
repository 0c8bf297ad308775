#pragma once
// What the simulator's laws and links say of a timed call in which all ranks send alike: the messages of the call on
// the links of the cluster, under the busiest-link bound. For even exchanges max-min sharing ends as soon as that.
#include "calibrate/measured_calls.hpp"
#include "config/profile.hpp"

namespace moesim {

// Each throws std::bad_optional_access where the profile lacks the part of `collectives` that the call needs.
Seconds predict_nccl(const Profile& profile, const NcclCall& call);
Seconds predict_deepep_normal(const Profile& profile, const DeepEpCall& call);
Seconds predict_deepep_low_latency(const Profile& profile, const DeepEpCall& call);

}  // namespace moesim
