#pragma once
// What a profile might as well have been: for the interval of a prediction.
#include <cstdint>

#include "config/profile.hpp"

namespace moesim {

// The profile with each fitted thing slower or faster by one factor, drawn from what its fit was off by: every
// operation of `kernels` and every class of links by one of its residuals. One factor a run, since what a law is off by
// for a shape it is off by every time. Figures without residuals stay. The same for the same number.
Profile drawn_profile(const Profile& profile, std::uint64_t number);

}  // namespace moesim
