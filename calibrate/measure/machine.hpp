#pragma once
// What the operating system says of this machine's processor and memory. Linux; elsewhere nothing is known.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"

namespace moesim {

struct CpuInfo {
    std::string model;        // "AMD EPYC"; empty: not said
    std::vector<double> mhz;  // of each core, now
};
CpuInfo parse_cpu_info(std::string_view proc_cpuinfo);

struct MemoryInfo {
    Bytes total, available;  // 0: not said
};
MemoryInfo parse_memory_info(std::string_view proc_meminfo);

// "32768K", "1M"; nothing where it is something else.
std::optional<Bytes> parse_cache_size(std::string_view sysfs_size);

struct Machine {
    std::string host;   // name in its network
    std::string model;  // of the processor; "unknown processor" where nothing is said
    std::int64_t cores = 1;
    MemoryInfo memory;
    Bytes cache;                          // of the last level, shared by cores; 32 MiB where nothing is said
    Bytes own_cache;                      // of the second level, a core's own; 1 MiB where nothing is said
    std::optional<std::string> governor;  // of cpufreq
};
Machine this_machine();

// Of each core's clock, now; empty where that is not readable.
std::vector<double> cores_mhz();

// A clock while something is measured: the readings that note() is given.
class ClockWatch {
  public:
    void note(std::vector<double> mhz);
    // "2600 MHz throughout", "1200 to 3400 MHz, median 3300: the clock was not steady", with the governor where there
    // is one; "not readable".
    [[nodiscard]] std::string said(const std::optional<std::string>& governor = {}) const;
    // The slowest reading is below 95% of the median: something was throttled, or not yet awake.
    [[nodiscard]] bool steady() const;

  private:
    std::vector<double> mhz_;
};

}  // namespace moesim
