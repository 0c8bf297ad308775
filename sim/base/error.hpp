#pragma once
// The typed failures of moesim. They are thrown anywhere and caught once, in main, which turns each into the exit
// code of the command contract.
#include <stdexcept>
#include <string>

namespace moesim {

enum class ExitCode : int { done = 0, check_failed = 1, bad_input = 2, machine_lacks = 3, own_fault = 4 };

class Error : public std::runtime_error {
  public:
    Error(ExitCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
    [[nodiscard]] ExitCode code() const { return code_; }

  private:
    ExitCode code_;
};

// What the user gave cannot be used: a broken file, an impossible value, a wrong option.
class InputError : public Error {
  public:
    explicit InputError(const std::string& what) : Error(ExitCode::bad_input, what) {}
};

// What the user asked for cannot be had, or a bound that they gave is exceeded.
class CheckFailed : public Error {
  public:
    explicit CheckFailed(const std::string& what) : Error(ExitCode::check_failed, what) {}
};

// moesim broke a promise of its own.
class InternalError : public Error {
  public:
    explicit InternalError(const std::string& what) : Error(ExitCode::own_fault, what) {}
};

}  // namespace moesim
