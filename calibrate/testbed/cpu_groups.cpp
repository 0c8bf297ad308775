#include "calibrate/testbed/cpu_groups.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "base/error.hpp"

namespace moesim::testbed {
namespace {

// "rw,cpu,cpuacct" has "cpu".
bool has_word(std::string list, const std::string& word) {
    for (char& c : list)
        if (c == ',' || c == '\n') c = ' ';
    std::istringstream words(list);
    for (std::string w; words >> w;)
        if (w == word) return true;
    return false;
}

}  // namespace

CpuGroups find_cpu_groups(const std::string& mounts, const std::function<std::string(const std::string&)>& read) {
    std::istringstream lines(mounts);
    std::string found;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string device, path, type, options;
        fields >> device >> path >> type >> options;
        if (type == "cgroup" && has_word(options, "cpu")) return {1, path};
        if (type != "cgroup2") continue;
        // Taken as it is: what the whole machine's groups may do is not for a testbed to change.
        if (has_word(read(path + "/cgroup.subtree_control"), "cpu")) return {2, path};
        found += fmt::format("{}{} without cpu in cgroup.subtree_control", found.empty() ? "" : ", ", path);
    }
    throw Error(ExitCode::machine_lacks,
                fmt::format("--cpu: found {}, expected a mounted hierarchy of control groups with the cpu controller",
                            found.empty() ? "no control groups" : found));
}

CpuGroups this_machines_cpu_groups() {
    const auto read = [](const std::string& path) {
        std::ifstream in(path);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    return find_cpu_groups(read("/proc/mounts"), read);
}

}  // namespace moesim::testbed
