#pragma once
// How a range is shared out in contiguous parts whose sizes differ by one at most.
#include <cstdint>

namespace moesim {

struct Range {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    [[nodiscard]] constexpr std::int64_t size() const { return end - begin; }
};

// Part `index` of `parts`: the first `size % parts` parts have one more.
constexpr Range part_of(Range whole, std::int64_t parts, std::int64_t index) {
    const std::int64_t base = whole.size() / parts, more = whole.size() % parts;
    const std::int64_t begin = whole.begin + index * base + (index < more ? index : more);
    return {begin, begin + base + (index < more ? 1 : 0)};
}

}  // namespace moesim
