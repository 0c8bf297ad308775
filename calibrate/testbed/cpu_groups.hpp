#pragma once
// Where this machine's control groups limit CPU time.
#include <functional>
#include <string>

#include "calibrate/testbed/plan.hpp"

namespace moesim::testbed {

// `mounts` as /proc/mounts has it; read(path) gives a file's text, empty where there is none. Version 1's `cpu`
// hierarchy, else a version 2 one that gives its children the `cpu` controller (man 7 cgroups). Throws Error
// (machine_lacks) that says what was found where neither is there.
CpuGroups find_cpu_groups(const std::string& mounts, const std::function<std::string(const std::string&)>& read);
CpuGroups this_machines_cpu_groups();

}  // namespace moesim::testbed
