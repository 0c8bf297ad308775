#pragma once
// A matrix as a picture: in characters for the terminal, in SVG for the browser.
#include <cstddef>
#include <optional>
#include <string>

#include "base/matrix.hpp"

namespace moesim {

struct HeatMap {
    std::string caption;
    std::string row_title, column_title;  // what a row and a column are: "layer", "expert"
    std::string value_title;              // what a cell holds, with its unit
    Matrix<double> values;                // [row][column]; NaN where nothing is known
    std::optional<double> low, high;      // the ends of the scale; else the least and the greatest that is shown
};

// Of cells, not counting labels.
struct TextMapSize {
    std::size_t columns = 64, rows = 32;
};

// Lines of ASCII (but for the titles): darker characters for greater values, '?' where nothing is known, a legend of
// what each stands for. A larger matrix is shrunk to the size, each character the mean of a block, and a line says so.
std::string text(const HeatMap& map, TextMapSize size = {});

// A document of its own that refers to nothing else. Up to 4,096 cells say what they are when pointed at; more than
// 16,384 are shrunk to that, each the mean of a block, and a line says so. The same bytes for the same map.
std::string svg(const HeatMap& map);

}  // namespace moesim
