#pragma once
#include <csignal>

namespace moesim::testbed {

// SIGINT, SIGTERM and SIGHUP wait until the end of the scope. One that came ends the process there, as if nobody had
// held it.
class HeldSignals {
  public:
    HeldSignals();
    ~HeldSignals();
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;
    void check() const;  // throws Error where one waits

  private:
    sigset_t held_{}, before_{};
};

}  // namespace moesim::testbed
