#pragma once
// The run as a person reads it first.
#include <string>

#include "result/metrics.hpp"

namespace moesim {

std::string table(const Result& result, const Metrics& metrics);

}  // namespace moesim
