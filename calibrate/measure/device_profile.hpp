#pragma once
// A profile of a core of this machine or of a GPU, measured.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/measure/measured_device.hpp"
#include "calibrate/measure/time_kernels.hpp"
#include "config/profile.hpp"

namespace moesim {

struct MeasureOptions {
    bool quick = false;
    std::string name;             // of the profile; empty: MeasuredDevice::profile
    std::string date;             // of the measurement: "2026-11-23"
    std::optional<Profile> base;  // links are taken from it where they are not measured
    std::function<void(std::string_view phase, double share)> progress = [](std::string_view, double) {};
};

struct DeviceMeasurement {
    Profile profile;
    KernelTimes times;
    std::vector<std::string> notes;  // one a line: what was measured, how well it fits, what was left out
};

// Times the operations of `grid` on `backend`, fits their laws, and fills the rest of a profile with what was measured
// beside them, or what is stated in its place: every figure says which. backend: of the device.
DeviceMeasurement measure_device(kernels::Backend& backend, const MeasuredDevice& device, const KernelGrid& grid,
                                 const MeasureOptions& options);

}  // namespace moesim
