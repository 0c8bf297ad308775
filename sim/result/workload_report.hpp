#pragma once
// A workload as a person reads it, as a document, and as pictures.
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "result/heat_map.hpp"
#include "workload/statistics.hpp"

namespace moesim {

// One line a layer up to 32 layers; beyond, the first layer, the one of median load CV and the one of the largest;
// then the mean of all. "-" where a statistic was not collected. `title` is the first line, with the sizes.
std::string workload_table(const RoutingStatistics& statistics, std::string_view title);
std::string workload_table(const LoadTable& recorded);  // what a load alone tells, under its origin

// moesim.workload-description/1. A key without a value (null) was not collected. The counts of the transitions are
// experts^2 numbers for each pair of layers: only where asked for.
nlohmann::ordered_json workload_json(const RoutingStatistics& statistics, std::string_view origin,
                                     bool with_transition_counts = false);
nlohmann::ordered_json workload_json(const LoadTable& recorded);

// [layer][expert]: the load over the mean of its layer, 1 where even.
HeatMap load_heat_map(const RoutingStatistics& statistics);
HeatMap load_heat_map(const LoadTable& recorded);

// [expert of the layer before][expert of this layer]: the share of the row's tokens whose first choice it is; unknown
// in the rows of experts that no token chose first. Throws InputError where no transitions into the layer were counted.
HeatMap transition_heat_map(const RoutingStatistics& statistics, LayerId into);

}  // namespace moesim
