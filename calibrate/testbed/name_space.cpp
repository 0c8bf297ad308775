#include "calibrate/testbed/name_space.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace moesim::testbed {

InNameSpace::InNameSpace(const std::string& name) : before_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    const int there = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    const bool entered = before_ >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0;
    const int error = errno;
    if (there >= 0) close(there);
    if (entered) return;
    if (before_ >= 0) close(before_);
    throw Error(ExitCode::machine_lacks, fmt::format("network namespace {}: {}", name, std::strerror(error)));
}

InNameSpace::~InNameSpace() {
    if (before_ < 0) return;
    // It is where the thread came from; there is nothing to be done should it be refused.
    static_cast<void>(setns(before_, CLONE_NEWNET));
    close(before_);
}

}  // namespace moesim::testbed
