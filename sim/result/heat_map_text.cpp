#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "result/heat_map.hpp"
#include "result/shrunk.hpp"

namespace moesim {
namespace {

constexpr std::string_view ramp = " .:-=+*#%@";

char mark(double value, const ShownScale& scale) {
    if (!std::isfinite(value)) return '?';
    const auto step = static_cast<std::size_t>(scale.share(value) * static_cast<double>(ramp.size()));
    return ramp[std::min(step, ramp.size() - 1)];
}

// The first index of every eighth column, above it.
std::string column_labels(const Shrunk& shown) {
    std::string line;
    for (std::size_t c = 0; c < shown.cells.cols(); c += 8) {
        const std::string label = fmt::format("{}", shown.cols_of(c).begin);
        if (c + label.size() <= shown.cells.cols()) line += fmt::format("{:<8}", label);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

std::string legend(const HeatMap& map, const ShownScale& scale) {
    std::string out = fmt::format("{}:\n", map.value_title);
    if (!(scale.high > scale.low)) return out + fmt::format("  '{}' {:.4g}\n", ramp[0], scale.low);
    const auto steps = static_cast<double>(ramp.size());
    for (std::size_t i = 0; i < ramp.size(); ++i) {
        const auto at = static_cast<double>(i);
        out += fmt::format("  '{}' {:.4g} to {:.4g}", ramp[i], scale.at(at / steps), scale.at((at + 1) / steps));
        if (i % 4 == 3 || i + 1 == ramp.size()) out += '\n';
    }
    return out;
}

}  // namespace

std::string text(const HeatMap& map, TextMapSize size) {
    const Shrunk shown =
        shrink(map.values, std::max<std::size_t>(size.rows, 1), std::max<std::size_t>(size.columns, 1));
    const ShownScale scale = scale_of(shown.cells, map.low, map.high);
    std::string out = map.caption + '\n';
    const std::size_t rows = shown.cells.rows(), cols = shown.cells.cols();
    if (rows == 0 || cols == 0) return out + "  (no cells)\n";

    std::size_t margin = map.row_title.size();
    for (std::size_t r = 0; r < rows; ++r) margin = std::max(margin, index_label(shown.rows_of(r)).size());
    out += fmt::format("{:>{}}  {}\n", "", margin, map.column_title);
    out += fmt::format("{:>{}}  {}\n", map.row_title, margin, column_labels(shown));
    bool unknown = false;
    for (std::size_t r = 0; r < rows; ++r) {
        out += fmt::format("{:>{}} |", index_label(shown.rows_of(r)), margin);
        for (std::size_t c = 0; c < cols; ++c) {
            out += mark(shown.cells(r, c), scale);
            unknown = unknown || !std::isfinite(shown.cells(r, c));
        }
        out += "|\n";
    }
    if (const std::string note = block_note(shown, "character", map.row_title, map.column_title); !note.empty())
        out += note + '\n';
    out += legend(map, scale);
    if (unknown) out += "  '?' nothing known\n";
    return out;
}

}  // namespace moesim
