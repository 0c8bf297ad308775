#pragma once
// A profile of this machine's cores, measured.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/measure/machine.hpp"
#include "calibrate/measure/time_kernels.hpp"
#include "config/profile.hpp"

namespace moesim {

struct MeasureOptions {
    bool quick = false;
    std::string name;                // of the profile; empty: cpu-HOST
    std::string date;                // of the measurement: "2026-11-23"
    std::int64_t ranks_on_host = 1;  // that share this machine's memory
    std::optional<Profile> base;     // links are taken from it where they are not measured
    std::function<void(std::string_view phase, double share)> progress = [](std::string_view, double) {};
};

struct CpuMeasurement {
    Profile profile;
    KernelTimes times;
    std::vector<std::string> notes;  // one a line: what was measured, how well it fits, what was left out
};

// Times the operations of `grid` on `backend`, fits their laws, and fills the rest of a profile with what was measured
// beside them, or what is stated in its place: every figure says which. A rank is one core.
CpuMeasurement measure_cpu(kernels::Backend& backend, const Machine& machine, const KernelGrid& grid,
                           const MeasureOptions& options);

}  // namespace moesim
