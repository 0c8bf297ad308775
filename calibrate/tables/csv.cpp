#include "calibrate/tables/csv.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

constexpr std::size_t most_columns = 1000;

// Takes the text up to the line's end off `rest`, and that.
std::string_view cut_line(std::string_view& rest) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string file) : rest_(text), file_(std::move(file)) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (rest_.substr(0, 3) == byte_order_mark) rest_.remove_prefix(3);
    line_ = 1;
    const std::string_view header = cut_line(rest_);
    if (header.find_first_not_of(" \t") == header.npos)
        throw InputError(fmt::format("{}: line 1: found nothing, expected the names of columns", file_));
    names_ = cut_cells(header);
    if (names_.size() > most_columns)
        throw InputError(
            fmt::format("{}: line 1: found {} columns, expected at most {}", file_, names_.size(), most_columns));
    std::set<std::string_view> seen;
    for (const std::string& name : names_)
        if (!name.empty() && !seen.insert(name).second)
            throw InputError(
                fmt::format("{}: line 1: found the column `{}` twice, expected it once", file_, clipped(name)));
}

bool CsvReader::has(std::string_view column) const {
    return std::find(names_.begin(), names_.end(), column) != names_.end();
}

std::string CsvReader::first_of(std::initializer_list<std::string_view> columns) const {
    for (const std::string_view c : columns)
        if (has(c)) return std::string(c);
    throw InputError(
        fmt::format("{}: line 1: found no column `{}`, expected one", file_, fmt::join(columns, "` or `")));
}

std::vector<std::string> CsvReader::cut_cells(std::string_view line) const {
    std::vector<std::string> all(1);
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
            all.back() += c;
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == ',' && !quoted) {
            all.emplace_back();
        } else {
            all.back() += c;
        }
    }
    if (quoted)
        throw InputError(
            fmt::format("{}: line {}: found a quotation mark that does not end in its line, expected its "
                        "end",
                        file_, line_));
    return all;
}

bool CsvReader::next() {
    while (!rest_.empty()) {
        ++line_;
        const std::string_view line = cut_line(rest_);
        if (line.find_first_not_of(" \t") == line.npos) continue;
        cells_ = cut_cells(line);
        if (cells_.size() != names_.size())
            throw InputError(fmt::format("{}: line {}: found {} cells, expected {}, one a column", file_, line_,
                                         cells_.size(), names_.size()));
        return true;
    }
    return false;
}

std::size_t CsvReader::place(std::string_view column) const {
    const auto at = std::find(names_.begin(), names_.end(), column);
    if (at == names_.end())
        throw InputError(fmt::format("{}: line 1: found no column `{}`, expected one", file_, column));
    return static_cast<std::size_t>(at - names_.begin());
}

const std::string& CsvReader::text(std::string_view column) const { return cells_[place(column)]; }

void CsvReader::refuse(std::string_view column, const std::string& expected) const {
    throw InputError(fmt::format("{}: line {}: $.{}: found `{}`, expected {}", file_, line_, column,
                                 clipped(text(column)), expected));
}

std::int64_t CsvReader::whole(std::string_view column, std::int64_t low, std::int64_t high) const {
    const std::string& cell = text(column);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc() || end != cell.data() + cell.size() || value < low || value > high)
        refuse(column, fmt::format("an integer from {} to {}", low, high));
    return value;
}

double CsvReader::number(std::string_view column, double low, double high) const {
    const std::string& cell = text(column);
    double value = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc() || end != cell.data() + cell.size() || !(value >= low && value <= high))
        refuse(column, fmt::format("a number from {} to {}", low, high));
    return value;
}

}  // namespace moesim
