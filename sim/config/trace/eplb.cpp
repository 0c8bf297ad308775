#include "config/trace/eplb.hpp"

#include <fmt/format.h>

#include "config/json_object.hpp"
#include "config/json_text.hpp"
#include "config/trace/json_lines.hpp"

namespace moesim {
namespace {

constexpr double max_count = 1e18;

bool is_array_of_arrays(const nlohmann::json& json) { return json.is_array() && !json.empty() && json[0].is_array(); }

void check_option(const JsonValue& value, const char* name, std::size_t found, std::optional<std::size_t> stated) {
    if (stated && found != *stated)
        value.fail_with(fmt::format("{} = {}", name, found), fmt::format("{}, as the options say", *stated));
}

// Throws unless it is [layers][experts].
void check_shape(const JsonValue& step, std::size_t layers, std::size_t experts) {
    if (!step.json->is_array() || step.json->size() != layers)
        step.fail(fmt::format("an array of {} (layers)", layers));
    for (std::size_t l = 0; l < layers; ++l) {
        const JsonValue layer = step.element(l);
        if (!layer.json->is_array()) layer.fail(fmt::format("an array of {} (experts)", experts));
        if (layer.json->size() != experts)
            layer.fail_with(fmt::format("an array of {}", layer.json->size()),
                            fmt::format("one of {} (experts)", experts));
    }
}

// The array of all steps, of which there is one where the file has none.
std::vector<JsonValue> steps_of(const JsonValue& counts) {
    if (!is_array_of_arrays((*counts.json)[0])) return {counts};
    std::vector<JsonValue> steps;
    for (std::size_t s = 0; s < counts.json->size(); ++s) steps.push_back(counts.element(s));
    return steps;
}

void add_step(Matrix<double>& load, const JsonValue& step) {
    check_shape(step, load.rows(), load.cols());
    for (std::size_t l = 0; l < load.rows(); ++l) {
        for (std::size_t e = 0; e < load.cols(); ++e) {
            const auto& count = (*step.json)[l][e];
            const double number = count.is_number() ? count.get<double>() : -1;
            if (!(number >= 0 && load(l, e) + number <= max_count))
                step.element(l).element(e).fail(
                    fmt::format("a number from 0 to {}, as the sum over the steps", max_count));
            load(l, e) += number + 0.0;  // -0 becomes 0
        }
    }
}

}  // namespace

LoadTable read_eplb_load(std::string_view text, const std::string& file, const TraceOptions& options) {
    LoadTable table{file, {}};
    for_each_document(text, file, [&](const nlohmann::json& json, const std::string& where) {
        JsonValue counts{&json, where, "$"};
        if (json.is_object()) {
            const auto at = json.find("logical_count");
            counts = {at == json.end() ? nullptr : &*at, where, "$.logical_count"};
        }
        if (!counts.present() || !is_array_of_arrays(*counts.json))
            counts.fail("[layers][experts] or [steps][layers][experts], none of them empty");
        const std::vector<JsonValue> steps = steps_of(counts);
        const JsonValue& first = steps[0];
        const std::size_t layers = first.json->size(), experts = (*first.json)[0].size();
        if (layers > max_trace_layers || experts < 1 || experts > max_trace_experts)
            first.fail_with(fmt::format("[{}][{}] (layers, experts)", layers, experts),
                            fmt::format("[1][1] to [{}][{}]", max_trace_layers, max_trace_experts));
        check_option(first, "layers", layers, options.layers);
        check_option(first, "experts", experts, options.experts);
        check_shape(first, layers, experts);  // before a table of that size is made
        if (table.load.rows() == 0) table.load = Matrix<double>(layers, experts);
        for (const JsonValue& step : steps) add_step(table.load, step);
    });
    double sum = 0;
    for (const double load : table.load.values()) sum += load;
    if (!(sum > 0)) JsonValue{nullptr, file, "$"}.fail_with("0 everywhere", "a count above 0");
    return table;
}

}  // namespace moesim
