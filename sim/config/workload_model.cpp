#include "config/workload_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/file.hpp"
#include "config/json_object.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

// Numbers are written as digits of base 64, so that a row of a matrix is one short word.
constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// A grid of values: `places` digits each.
struct Grid {
    double low, step;
    int places;
    [[nodiscard]] int levels() const { return places == 1 ? 64 : 4096; }
    [[nodiscard]] int level(double value) const {
        return std::clamp(static_cast<int>(std::lround((value - low) / step)), 0, levels() - 1);
    }
    [[nodiscard]] float value(int level) const { return static_cast<float>(low + level * step); }
};
constexpr Grid ratio_grid{-3.5, 8.5 / 63, 1}, weight_grid{-16, 1.0 / 200, 2};

int digit_of(char c) {
    const auto at = digits.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

Matrix<float> read_matrix(const JsonValue& value, std::size_t rows, std::size_t cols, const Grid& grid) {
    const std::size_t length = cols * static_cast<std::size_t>(grid.places);
    const std::string expected = fmt::format("{} digits of A-Z a-z 0-9 + /, {} an expert", length, grid.places);
    Matrix<float> m(rows, cols);
    const auto lines = value.elements(rows, rows);
    for (std::size_t r = 0; r < rows; ++r) {
        if (!lines[r].json->is_string()) lines[r].fail(expected);
        const auto& text = lines[r].json->get_ref<const std::string&>();
        if (text.size() != length) lines[r].fail_with(fmt::format("a text of {} bytes", text.size()), expected);
        for (std::size_t c = 0; c < cols; ++c) {
            int level = 0;
            for (int p = 0; p < grid.places; ++p) {
                const int digit =
                    digit_of(text[c * static_cast<std::size_t>(grid.places) + static_cast<std::size_t>(p)]);
                if (digit < 0) lines[r].fail_with("a text with another character", expected);
                level = level * 64 + digit;
            }
            m(r, c) = grid.value(level);
        }
    }
    return m;
}

nlohmann::ordered_json write_matrix(const Matrix<float>& m, const Grid& grid) {
    auto all = nlohmann::ordered_json::array();
    for (std::size_t r = 0; r < m.rows(); ++r) {
        std::string row;
        for (const float v : m.row(r)) {
            const int level = grid.level(static_cast<double>(v));
            if (grid.places == 2) row += digits[static_cast<std::size_t>(level / 64)];
            row += digits[static_cast<std::size_t>(level % 64)];
        }
        all.push_back(std::move(row));
    }
    return all;
}

void must_be_absent(const JsonValue& v, const char* why) {
    if (v.present()) v.fail(fmt::format("nothing, since {}", why));
}

WorkloadModel::Layer parse_layer(const JsonValue& value, const WorkloadModel& m, bool first) {
    const JsonObject o(
        value, {"first_given_previous", "rest_given_first", "rest_given_previous", "first_weight", "rest_weight"});
    WorkloadModel::Layer layer;
    if (first) {
        must_be_absent(o["first_given_previous"], "the first layer has none before it");
        must_be_absent(o["rest_given_previous"], "the first layer has none before it");
    } else {
        layer.first_given_previous = read_matrix(o["first_given_previous"], m.experts, m.experts, ratio_grid);
    }
    layer.first_weight = read_matrix(o["first_weight"], m.sources, m.experts, weight_grid);
    if (m.top_k == 1) {
        for (const char* key : {"rest_given_first", "rest_given_previous", "rest_weight"})
            must_be_absent(o[key], "top_k is 1");
        return layer;
    }
    layer.rest_given_first = read_matrix(o["rest_given_first"], m.experts, m.experts, ratio_grid);
    if (!first) layer.rest_given_previous = read_matrix(o["rest_given_previous"], m.experts, m.experts, ratio_grid);
    layer.rest_weight = read_matrix(o["rest_weight"], m.sources, m.experts, weight_grid);
    return layer;
}

}  // namespace

float nearest_ratio(double ratio) { return ratio_grid.value(ratio_grid.level(ratio)); }
float nearest_weight(double weight) { return weight_grid.value(weight_grid.level(weight)); }

WorkloadModel parse_workload_model(const nlohmann::json& json, const std::string& file, const std::string& path) {
    const JsonObject o(
        {&json, file, path}, "moesim.workload/1",
        {"schema", "name", "source", "tokens", "experts", "top_k", "sources", "previous_weight", "layers"});
    WorkloadModel m;
    m.name = o["name"].line();
    m.source = o["source"].text();
    m.tokens = o["tokens"].integer(1, INT64_C(1) << 40);
    m.experts = static_cast<std::size_t>(o["experts"].integer(1, 16384));
    m.top_k = static_cast<std::size_t>(
        o["top_k"].integer(1, std::min<std::int64_t>(64, static_cast<std::int64_t>(m.experts))));
    m.sources = static_cast<std::size_t>(o["sources"].integer(1, 4096));
    m.previous_weight = o["previous_weight"].number(0, 10);
    for (const JsonValue& layer : o["layers"].elements(1, 1000))
        m.layers.push_back(parse_layer(layer, m, m.layers.empty()));
    return m;
}

WorkloadModel load_workload_model(const std::string& file) {
    return parse_workload_model(parse_json(read_file(file, max_json_bytes), file), file);
}

nlohmann::ordered_json to_json(const WorkloadModel& m) {
    nlohmann::ordered_json j = {{"schema", "moesim.workload/1"},
                                {"name", m.name},
                                {"source", m.source},
                                {"tokens", m.tokens},
                                {"experts", m.experts},
                                {"top_k", m.top_k},
                                {"sources", m.sources},
                                {"previous_weight", m.previous_weight}};
    j["layers"] = nlohmann::ordered_json::array();
    for (const WorkloadModel::Layer& layer : m.layers) {
        const std::array<std::pair<const char*, const Matrix<float>*>, 3> ratios = {
            {{"first_given_previous", &layer.first_given_previous},
             {"rest_given_first", &layer.rest_given_first},
             {"rest_given_previous", &layer.rest_given_previous}}};
        nlohmann::ordered_json l;
        l["first_weight"] = write_matrix(layer.first_weight, weight_grid);
        if (layer.rest_weight.rows() > 0) l["rest_weight"] = write_matrix(layer.rest_weight, weight_grid);
        for (const auto& [key, matrix] : ratios)
            if (matrix->rows() > 0) l[key] = write_matrix(*matrix, ratio_grid);
        j["layers"].push_back(std::move(l));
    }
    return j;
}

}  // namespace moesim
