#pragma once
// Fits of the link figures of a profile to messages timed between ranks.
#include <string>
#include <vector>

#include "calibrate/measure/time_links.hpp"
#include "config/profile.hpp"

namespace moesim {

// What the simulator says of a case: the start-up and the time on the links of one message (network/message.hpp), or of
// all of them at once (network/transfer_time.hpp).
Seconds predict_links(const Fabric& fabric, const Profile& profile, const LinkCase& what);

// Sets efficiency and overhead of the classes of links that the timed messages took, by least squares over the
// logarithms of predicted / measured (fit.hpp), against the links' rates in `fabric`; the quantiles of single bytes'
// times as jitter; their gap to what one message more takes where single bytes go to many at once; and half_size to 0,
// which cannot be told from the overhead where a class has one rate. Sources say where they come from, `how`, and what
// they are worth: errors by fits to all other shapes of messages, and residuals. A note a class.
std::vector<std::string> fit_links(Profile& profile, const Fabric& fabric, const std::vector<LinkTimes>& all,
                                   const std::string& how);

}  // namespace moesim
