#pragma once
// What the kernels throw. Their callers are parts of moesim: whatever a user can get wrong was found out before.
#include "base/error.hpp"

namespace moesim::kernels {

// Shapes, types or alignments that do not fit together: the caller's fault.
class ArgumentError : public InternalError {
  public:
    using InternalError::InternalError;
};

// The device is not there, or has not the memory that was asked for.
class DeviceLacking : public Error {
  public:
    explicit DeviceLacking(const std::string& what) : Error(ExitCode::machine_lacks, what) {}
};

// The device failed: a driver's or a library's error, in its words.
class DeviceFailure : public InternalError {
  public:
    using InternalError::InternalError;
};

}  // namespace moesim::kernels
