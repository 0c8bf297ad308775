#include "result/human.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>
#include <string_view>

namespace moesim {
namespace {

struct Scale {
    double factor;
    std::string_view unit;
};

// With the largest scale whose factor the value reaches; scales are in falling order.
std::string scaled(double value, std::span<const Scale> scales) {
    Scale chosen = scales.back();
    for (const Scale& s : scales)
        if (std::abs(value) >= s.factor) {
            chosen = s;
            break;
        }
    const double v = value / chosen.factor;
    const int digits = std::abs(v) >= 1000 ? 0 : std::abs(v) >= 100 ? 1 : std::abs(v) >= 10 ? 2 : 3;
    return fmt::format("{:.{}f}{}{}", v, digits, chosen.unit.empty() ? "" : " ", chosen.unit);
}

}  // namespace

std::string human(Seconds s) {
    static constexpr std::array<Scale, 4> scales{{{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}}};
    return s == Seconds{} ? "0 s" : scaled(s.value(), scales);
}

std::string human(Bytes b) {
    static constexpr std::array<Scale, 5> scales{{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}}};
    return b.value() < 1000 ? fmt::format("{} B", b.value()) : scaled(b.as_double(), scales);
}

std::string human_count(double count) {
    static constexpr std::array<Scale, 4> scales{{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}}};
    return scaled(count, scales);
}

std::string human_share(double share) { return fmt::format("{:.1f}%", share * 100); }

std::string counted(std::int64_t n, std::string_view what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

}  // namespace moesim
