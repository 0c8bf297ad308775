#pragma once
// What carrying bytes over a testbed costs this machine's CPU.
#include <functional>

#include "calibrate/testbed/plan.hpp"

namespace moesim::testbed {

struct CpuCost {
    double seconds = 0;                // that the transfers went on for
    double bytes = 0;                  // that arrived
    double link_bytes = 0;             // those, each as often as it went over a link
    double cpu_seconds = 0;            // of this process and of all of the kernel's packet processing meanwhile
    double cores = 0;                  // that this machine has
    double full_link_bytes_per_s = 0;  // with every link full both ways
    // Cores that full links would need.
    [[nodiscard]] double needed() const { return cpu_seconds / link_bytes * full_link_bytes_per_s; }
};

// Sends over TCP for about `duration`, from each host to the next one and to the one half-way round, all at once.
// Throws Error where some host gets nothing. `often` is called several times a second and may throw.
CpuCost push(const Plan& plan, const Fabric& fabric, Seconds duration, const std::function<void()>& often);

}  // namespace moesim::testbed
