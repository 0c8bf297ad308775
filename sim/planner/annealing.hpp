#pragma once
// Simulated annealing of balanced placements by swaps (Kirkpatrick, Gelatt, Vecchi, Science 220, 1983): two experts of
// a layer that are at different positions change places, if that is better, or by chance, exp(-increase / temperature).
// The temperature falls geometrically. Each position keeps its count of experts; a load budget is never exceeded.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>

#include "base/float_math.hpp"
#include "base/random.hpp"
#include "planner/load_budget.hpp"

namespace moesim {

struct Cooling {
    double from = 1, to = 1;  // temperature, in units of the objective
    // Proposals; or, where there is a clock, as many as it lets: how much of the time has passed, 0 to 1.
    std::int64_t proposals = 0;
    std::function<double()> passed;
};

// Objective: layers(), experts(), at(layer, expert); increase(layer, a, b), an integer; swap(layer, a, b).
// Ends with proposals at temperature 0, a tenth of all. Returns how many were made.
template <class Objective>
std::int64_t anneal(Objective& objective, LoadBudget& budget, const Cooling& cooling, RandomStream& random) {
    constexpr std::int64_t stride = 4096;  // proposals at one temperature
    constexpr float cooled = 0.9F;         // of the effort; the rest is at temperature 0
    const auto layers = static_cast<std::uint32_t>(objective.layers());
    const auto experts = static_cast<std::uint32_t>(objective.experts());
    const float fall = float_log(static_cast<float>(cooling.to / cooling.from));
    std::int64_t made = 0;
    for (;;) {
        const double passed =
            cooling.passed ? cooling.passed() : static_cast<double>(made) / static_cast<double>(cooling.proposals);
        if (!(passed < 1)) return made;
        const auto part = static_cast<float>(passed) / cooled;
        const float temperature = part < 1 ? static_cast<float>(cooling.from) * float_exp(fall * part) : 0.0F;
        const std::int64_t end = cooling.passed ? made + stride : std::min(made + stride, cooling.proposals);
        for (; made < end; ++made) {
            // Three small numbers of one draw; biased by experts / 2^20 at most.
            const std::uint64_t draw = random.next();
            const auto small = [&](int shift, std::uint32_t n) {
                return static_cast<std::size_t>((((draw >> shift) & 0xfffff) * n) >> 20);
            };
            const std::size_t layer = small(0, layers), a = small(20, experts), b = small(40, experts);
            const std::size_t p = objective.at(layer, a), q = objective.at(layer, b);
            if (p == q) continue;
            const auto increase = static_cast<float>(objective.increase(layer, a, b));
            if (increase > 0) {
                // ln u of the least u that is drawn is -16.6.
                if (increase > 17 * temperature) continue;
                const float u = (static_cast<float>(random.next() >> 41) + 1.0F) * 0x1p-23F;
                if (increase > -temperature * float_log(u)) continue;
            }
            if (budget.swap(layer, a, p, b, q)) objective.swap(layer, a, b);
        }
    }
}

}  // namespace moesim
