#include "calibrate/testbed/held_signals.hpp"

#include "base/error.hpp"

namespace moesim::testbed {

HeldSignals::HeldSignals() {
    sigemptyset(&held_);
    for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held_, s);
    pthread_sigmask(SIG_BLOCK, &held_, &before_);
}

HeldSignals::~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void HeldSignals::check() const {
    sigset_t waiting;
    sigpending(&waiting);
    for (const int s : {SIGINT, SIGTERM, SIGHUP})
        if (sigismember(&waiting, s) == 1 && sigismember(&before_, s) == 0)
            throw Error(ExitCode::check_failed, "stopped by a signal");
}

}  // namespace moesim::testbed
