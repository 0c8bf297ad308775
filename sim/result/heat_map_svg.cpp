#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "result/heat_map.hpp"
#include "result/shrunk.hpp"
#include "result/xml_text.hpp"

namespace moesim {
namespace {

constexpr std::size_t most_cells = 16'384, most_cells_with_tooltips = 4'096;
constexpr double plot_side = 768, least_cell = 2;

struct Colour {
    int r, g, b;
};
// Nine stops of viridis (van der Walt and Smith, 2015), which rises evenly in lightness, also in grey and to
// colour-blind eyes; straight lines between them.
constexpr std::array<Colour, 9> viridis = {{{68, 1, 84},
                                            {71, 45, 123},
                                            {59, 82, 139},
                                            {44, 114, 142},
                                            {33, 145, 140},
                                            {40, 174, 128},
                                            {94, 201, 98},
                                            {173, 220, 48},
                                            {253, 231, 37}}};

std::string colour(double share) {
    const double at = share * (viridis.size() - 1);
    const std::size_t i = std::min(static_cast<std::size_t>(at), viridis.size() - 2);
    const double f = at - static_cast<double>(i);
    const auto mix = [f](int a, int b) { return static_cast<int>(std::lround(a + f * (b - a))); };
    const Colour &a = viridis[i], &b = viridis[i + 1];
    return fmt::format("#{:02x}{:02x}{:02x}", mix(a.r, b.r), mix(a.g, b.g), mix(a.b, b.b));
}

// To the limit of cells and to what the plot has room for.
Shrunk shrink_to_limit(const Matrix<double>& values) {
    constexpr std::size_t side = 128;  // squared: the limit
    constexpr auto longest = static_cast<std::size_t>(plot_side / least_cell);
    std::size_t rows = std::min(values.rows(), longest), cols = std::min(values.cols(), longest);
    if (rows * cols > most_cells) {
        rows = std::min(rows, std::max(side, most_cells / cols));
        cols = std::min(cols, most_cells / rows);
    }
    return shrink(values, rows, cols);
}

// The side of a cell, where so many of them share the plot's.
double cell_side(std::size_t count) {
    return std::clamp(plot_side / static_cast<double>(std::max<std::size_t>(count, 1)), least_cell, 24.0);
}

class Drawing {
  public:
    explicit Drawing(const HeatMap& map)
        : map_(map), shown_(shrink_to_limit(map.values)), scale_(scale_of(shown_.cells, map.low, map.high)) {
        cell_width_ = cell_side(shown_.cells.cols());
        cell_height_ = std::min(cell_side(shown_.cells.rows()), 2 * cell_width_);
        width_ = cell_width_ * static_cast<double>(shown_.cells.cols());
        height_ = cell_height_ * static_cast<double>(shown_.cells.rows());
    }

    std::string draw() {
        const double all_width = left + std::max(width_, 240.0) + right;
        const double bar_height = std::max(height_, 160.0);
        const double all_height = top + bar_height + bottom;
        add(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:.0f} {:.0f}" role="img")", all_width, all_height);
        add(R"( font-family="sans-serif" font-size="12" fill="#222">)");
        add("\n<title>{}</title>\n", xml_text(map_.caption));
        add(R"(<rect width="100%" height="100%" fill="#fff"/>)");
        add("\n");
        label(left, 22, "start", map_.caption, R"( font-size="15" font-weight="bold")");
        cells();
        axes();
        bar(left + std::max(width_, 240.0) + 28, bar_height);
        const std::string note = block_note(shown_, "cell", map_.row_title, map_.column_title);
        if (!note.empty()) label(left, all_height - 8, "start", note, R"( font-size="10")");
        add("</svg>\n");
        return std::move(out_);
    }

  private:
    static constexpr double left = 76, top = 40, right = 120, bottom = 64;

    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    }

    void label(double x, double y, std::string_view anchor, std::string_view text, std::string_view more = "") {
        add(R"(<text x="{:.2f}" y="{:.2f}" text-anchor="{}"{}>{}</text>)", x, y, anchor, more, xml_text(text));
        add("\n");
    }

    // Reads upwards.
    void rotated(double x, double y, std::string_view text) {
        label(x, y, "middle", text, fmt::format(R"x( transform="rotate(-90 {:.2f} {:.2f})")x", x, y));
    }

    void cells() {
        const std::size_t rows = shown_.cells.rows(), cols = shown_.cells.cols();
        const bool tooltips = rows * cols <= most_cells_with_tooltips;
        add(R"x(<g transform="translate({:.0f} {:.0f})" shape-rendering="crispEdges">)x", left, top);
        add("\n");
        for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t c = 0; c < cols; ++c) {
                const double v = shown_.cells(r, c);
                add(R"(<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" fill="{}")",
                    static_cast<double>(c) * cell_width_, static_cast<double>(r) * cell_height_, cell_width_,
                    cell_height_, std::isfinite(v) ? colour(scale_.share(v)) : "#bbb");
                if (tooltips)
                    add("><title>{} {}, {} {}: {}</title></rect>\n", xml_text(map_.row_title),
                        index_label(shown_.rows_of(r)), xml_text(map_.column_title), index_label(shown_.cols_of(c)),
                        std::isfinite(v) ? fmt::format("{:.4g}", v) : "nothing known");
                else
                    add("/>\n");
            }
        add("</g>\n");
    }

    // Indices at least 40 (rows: 20) units apart, and the titles.
    void axes() {
        const auto every = [](double cell, double distance) {
            std::size_t step = 1;
            while (static_cast<double>(step) * cell < distance) step *= 2;
            return step;
        };
        const std::size_t cols = shown_.cells.cols(), rows = shown_.cells.rows();
        for (std::size_t c = 0; c < cols; c += every(cell_width_, 40))
            label(left + (static_cast<double>(c) + 0.5) * cell_width_, top + height_ + 16, "middle",
                  fmt::format("{}", shown_.cols_of(c).begin));
        for (std::size_t r = 0; r < rows; r += every(cell_height_, 20))
            label(left - 6, top + (static_cast<double>(r) + 0.5) * cell_height_ + 4, "end",
                  fmt::format("{}", shown_.rows_of(r).begin));
        label(left + width_ / 2, top + height_ + 36, "middle", map_.column_title);
        rotated(18, top + height_ / 2, map_.row_title);
    }

    void bar(double x, double height) {
        constexpr int steps = 64;
        const double step = height / steps;
        add(R"(<g shape-rendering="crispEdges">)");
        add("\n");
        for (int i = 0; i < steps; ++i) {
            add(R"(<rect x="{:.2f}" y="{:.2f}" width="14" height="{:.2f}" fill="{}"/>)", x,
                top + height - (i + 1) * step, step, colour((i + 0.5) / steps));
            add("\n");
        }
        add("</g>\n");
        for (int i = 0; i <= 4; ++i)
            label(x + 19, top + height * (1 - i / 4.0) + 4, "start", fmt::format("{:.4g}", scale_.at(i / 4.0)));
        rotated(x + 80, top + height / 2, map_.value_title);
    }

    const HeatMap& map_;
    Shrunk shown_;
    ShownScale scale_;
    double cell_width_ = 0, cell_height_ = 0, width_ = 0, height_ = 0;
    std::string out_;
};

}  // namespace

std::string svg(const HeatMap& map) { return Drawing(map).draw(); }

}  // namespace moesim
