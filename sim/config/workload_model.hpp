#pragma once
// moesim.workload/1: what was learned of a router from a trace, small enough to ship, enough to make traffic like it.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/matrix.hpp"

namespace moesim {

// Each layer's experts are drawn in turn. With "previous" the token's choices in the layer before, the logits are
//   first choice: first_weight[source][e] + first_given_previous[previous first][e]
//   other choices: rest_weight[source][e] + rest_given_first[first][e]
//                  + previous_weight * sum over all previous p of rest_given_previous[p][e]
// plus Gumbel noise; the largest are taken, none twice. Ratios are logarithms, on a grid of 64 values from
// -3.5 to 5; weights on a grid of steps of 1/200 from -16 to 4.47.
struct WorkloadModel {
    struct Layer {
        Matrix<float> first_given_previous;  // [expert][expert]; empty in the first layer
        Matrix<float> rest_given_first;      // [expert][expert]; empty where top_k is 1
        Matrix<float> rest_given_previous;   // [expert][expert]; empty in the first layer or where top_k is 1
        Matrix<float> first_weight;          // [source][expert]
        Matrix<float> rest_weight;           // [source][expert]; empty where top_k is 1
        bool operator==(const Layer&) const = default;
    };
    std::string name, source;  // what it is of, and where the trace came from
    std::size_t experts = 0, top_k = 0, sources = 0;
    std::int64_t tokens = 0;  // that it was learned from
    double previous_weight = 0;
    std::vector<Layer> layers;
    bool operator==(const WorkloadModel&) const = default;
};

// The nearest value that a model document can hold.
float nearest_ratio(double ratio);
float nearest_weight(double weight);

// Throws InputError with file, JSON path, found and expected. `path` is where the object stands in its file.
WorkloadModel parse_workload_model(const nlohmann::json& json, const std::string& file, const std::string& path = "$");
// Reads a model file. Throws InputError.
WorkloadModel load_workload_model(const std::string& file);
nlohmann::ordered_json to_json(const WorkloadModel& model);

}  // namespace moesim
