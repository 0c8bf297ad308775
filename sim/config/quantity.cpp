#include "config/quantity.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace moesim {
namespace {

struct Unit {
    std::string_view name;
    double factor;
    double divisor = 0;  // 1 / factor where that is the exact one of the two, else 0
};

constexpr double kib = 1024.0, mib = kib * 1024.0, gib = mib * 1024.0, tib = gib * 1024.0;

// 1e-3 has no exact double, 1e3 has: dividing rounds once, so that "1.15us" is the double nearest to 1.15e-6.
constexpr std::array<Unit, 4> times{{{"s", 1}, {"ms", 1e-3, 1e3}, {"us", 1e-6, 1e6}, {"ns", 1e-9, 1e9}}};
constexpr std::array<Unit, 9> sizes{{{"B", 1},
                                     {"kB", 1e3},
                                     {"MB", 1e6},
                                     {"GB", 1e9},
                                     {"TB", 1e12},
                                     {"KiB", kib},
                                     {"MiB", mib},
                                     {"GiB", gib},
                                     {"TiB", tib}}};
constexpr std::array<Unit, 13> bandwidths{{{"B/s", 1},
                                           {"kB/s", 1e3},
                                           {"MB/s", 1e6},
                                           {"GB/s", 1e9},
                                           {"TB/s", 1e12},
                                           {"KiB/s", kib},
                                           {"MiB/s", mib},
                                           {"GiB/s", gib},
                                           {"bit/s", 0.125},
                                           {"kbit/s", 125},
                                           {"Mbit/s", 125e3},
                                           {"Gbit/s", 125e6},
                                           {"Tbit/s", 125e9}}};
constexpr std::array<Unit, 5> flop_rates{
    {{"FLOP/s", 1}, {"MFLOP/s", 1e6}, {"GFLOP/s", 1e9}, {"TFLOP/s", 1e12}, {"PFLOP/s", 1e15}}};

std::span<const Unit> units_of(Dimension d) {
    switch (d) {
        case Dimension::time: return times;
        case Dimension::bytes: return sizes;
        case Dimension::bandwidth: return bandwidths;
        case Dimension::flop_rate: return flop_rates;
    }
    return {};
}

}  // namespace

std::optional<double> parse_quantity(std::string_view text, Dimension dimension) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || !std::isfinite(number)) return std::nullopt;
    std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
    for (const Unit& u : units_of(dimension)) {
        if (u.name != unit) continue;
        const double value = u.divisor > 0 ? number / u.divisor : number * u.factor;
        return std::isfinite(value) ? std::optional(value) : std::nullopt;
    }
    return std::nullopt;
}

std::string format_quantity(double value, Dimension dimension) {
    return fmt::format("{}{}", value, units_of(dimension).front().name);
}

std::string readable_quantity(double value, Dimension dimension) {
    Unit best = units_of(dimension).front();
    for (const Unit& u : units_of(dimension)) {
        const bool decimal = u.name.find('i') == u.name.npos;  // neither KiB nor bit
        if (decimal && u.factor > best.factor && u.factor <= value) best = u;
    }
    return fmt::format("{}{}", value / best.factor, best.name);
}

std::string_view example_of(Dimension dimension) {
    switch (dimension) {
        case Dimension::time: return "2us";
        case Dimension::bytes: return "4MiB";
        case Dimension::bandwidth: return "400Gbit/s";
        case Dimension::flop_rate: return "989TFLOP/s";
    }
    return "";
}

std::string_view noun_of(Dimension dimension) {
    switch (dimension) {
        case Dimension::time: return "a time";
        case Dimension::bytes: return "a size";
        case Dimension::bandwidth: return "a bandwidth";
        case Dimension::flop_rate: return "a FLOP rate";
    }
    return "";
}

}  // namespace moesim
