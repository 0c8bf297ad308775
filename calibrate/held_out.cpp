// moesim_held_out MEASUREMENTS: prints how far fits are off on what they did not see. See held_out_report.hpp.
#include <fmt/format.h>

#include <exception>

#include "calibrate/held_out_report.hpp"

int main(int argc, char** argv) {
    if (argc != 2) {
        fmt::print(stderr, "usage: moesim_held_out MEASUREMENTS\n");
        return 2;
    }
    try {
        const auto report = moesim::held_out_report(argv[1]);
        if (report.empty()) {
            fmt::print(stderr, "moesim_held_out: {}: found no table, expected those of timed calls\n", argv[1]);
            return 2;
        }
        fmt::print("{}", moesim::text_of(report));
        return 0;
    } catch (const std::exception& e) {
        fmt::print(stderr, "moesim_held_out: {}\n", e.what());
        return 2;
    }
}
