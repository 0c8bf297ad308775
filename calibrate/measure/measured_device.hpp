#pragma once
// What is known of a device before anything on it is timed.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/measure/machine.hpp"
#include "config/sourced.hpp"

namespace moesim {

// One rank's: a core, or a GPU.
struct MeasuredDevice {
    std::string profile;  // what its profile is called unless another name is asked for
    std::string device;   // "AMD EPYC, one core of 2", "NVIDIA H100 80GB HBM3 of HOST"
    Sourced<Bytes> memory, reserved;
    Bytes usable;               // of the memory, for what calls work on
    std::vector<Bytes> caches;  // at which an operation may change its rate; the largest first
    Sourced<std::int64_t> multiprocessors, tile_m, tile_n;
    std::int64_t square = 1024;           // rows and columns of a product that shows the peak
    bool on_core = false;                 // operations are the calling thread's work, timed by what it has of a core
    std::optional<std::string> governor;  // of the clock
    std::function<std::vector<double>()> clock_mhz;  // now; nothing: not readable
};

// A rank that has a core of `machine` to itself, and one part of so many of its memory. date: "2026-11-23".
MeasuredDevice measured_core(const Machine& machine, std::int64_t ranks_on_host, const std::string& date);

}  // namespace moesim
