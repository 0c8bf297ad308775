#include "base/suggestion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace moesim {
namespace {

// Levenshtein distance; rows of one table at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
        }
    }
    return row.back();
}

}  // namespace

std::string suggestion(std::string_view word, std::span<const std::string_view> names) {
    if (word.size() > 64) return {};
    const auto nearest = std::min_element(
        names.begin(), names.end(), [&](auto a, auto b) { return edit_distance(word, a) < edit_distance(word, b); });
    if (nearest == names.end() || edit_distance(word, *nearest) > std::max<std::size_t>(2, word.size() / 3)) return {};
    return fmt::format("; did you mean \"{}\"?", *nearest);
}

}  // namespace moesim
