#pragma once
#include <string>

#include "calibrate/measure/measured_device.hpp"
#include "calibrate/nccl/gpu_library.hpp"

namespace moesim {

// A rank that has a GPU of `host` to itself. The library is referred to. Throws DeviceLacking.
MeasuredDevice measured_gpu(GpuLibrary& library, int device, const std::string& host, const std::string& date);

}  // namespace moesim
