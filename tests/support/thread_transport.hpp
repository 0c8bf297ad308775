#pragma once
// Ranks that are threads of one process: what execution is tested with where there is no MPI.
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>

#include "calibrate/execute/transport.hpp"

namespace moesim {

// Runs `work` once a rank, each on a thread of its own, and throws what the first failing rank threw.
void on_threads(std::size_t ranks, const std::function<void(Transport&)>& work);

}  // namespace moesim
