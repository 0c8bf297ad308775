#pragma once
// A scenario's routing on its own, without simulating it: counted, recorded, or as a traffic matrix.
#include <functional>
#include <string>

#include "base/matrix.hpp"
#include "config/scenario.hpp"
#include "config/trace/trace.hpp"
#include "workload/statistics.hpp"

namespace moesim {

// Told the share of the layers that is done; may be empty.
using LayerProgress = std::function<void(double)>;

// Statistics after drops; gate entropy too, if asked for (slower). Streams: what it holds does not grow with layers,
// but for the counts. `origin` names the scenario in messages, here and below.
RoutingStatistics statistics_of(const Scenario& scenario, const std::string& origin, const StatisticsOptions& options,
                                bool gates, const LayerProgress& progress);

// Every choice after drops, in the order of the tokens; the data-parallel ranks are its sources. Throws InputError
// where the routing is too large for a trace.
RoutingTrace record(const Scenario& scenario, const std::string& origin, const LayerProgress& progress);

// [from rank][to rank]: bytes that the dispatch of one layer moves, all micro-batches and chunks together. The diagonal
// holds rows that stay on their GPU. With dedup = node the forwarding inside nodes is counted as well.
Matrix<std::int64_t> dispatch_bytes(const Scenario& scenario, const std::string& origin, LayerId layer);

}  // namespace moesim
