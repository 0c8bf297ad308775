#include "calibrate/measure/machine.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <thread>

namespace moesim {
namespace {

// The kernel makes these files as they are read; empty where there is none.
std::string read_system_file(const char* path) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

// Calls use(key, value) for every "key : value" line.
template <class Use>
void for_each_pair(std::string_view text, const Use& use) {
    const auto trimmed = [](std::string_view s) {
        const auto first = s.find_first_not_of(" \t"), last = s.find_last_not_of(" \t");
        return first == s.npos ? std::string_view() : s.substr(first, last - first + 1);
    };
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (const auto colon = line.find(':'); colon != line.npos)
            use(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
    }
}

std::optional<double> leading_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !(value >= 0) || value > 1e12) return std::nullopt;
    return value;
}

}  // namespace

CpuInfo parse_cpu_info(std::string_view text) {
    CpuInfo cpu;
    for_each_pair(text, [&](std::string_view key, std::string_view value) {
        if (key == "model name" && cpu.model.empty()) cpu.model = value;
        if (key == "cpu MHz")
            if (const auto mhz = leading_number(value)) cpu.mhz.push_back(*mhz);
    });
    return cpu;
}

MemoryInfo parse_memory_info(std::string_view text) {
    MemoryInfo memory;
    for_each_pair(text, [&](std::string_view key, std::string_view value) {
        const auto kib = leading_number(value);
        if (!kib) return;
        const Bytes bytes(static_cast<std::int64_t>(*kib) * 1024);
        if (key == "MemTotal") memory.total = bytes;
        if (key == "MemAvailable") memory.available = bytes;
    });
    return memory;
}

std::optional<Bytes> parse_cache_size(std::string_view text) {
    const auto number = leading_number(text);
    const auto unit = text.find_first_not_of("0123456789");
    if (!number || *number < 1 || unit == text.npos) return std::nullopt;
    const std::int64_t factor = text[unit] == 'K' ? 1 << 10 : text[unit] == 'M' ? 1 << 20 : 0;
    if (factor == 0 || *number > 1e9) return std::nullopt;
    return Bytes(static_cast<std::int64_t>(*number) * factor);
}

Machine this_machine() {
    Machine m;
    char host[256] = {};
    if (::gethostname(host, sizeof host - 1) == 0) m.host = host;
    const CpuInfo cpu = parse_cpu_info(read_system_file("/proc/cpuinfo"));
    m.model = cpu.model.empty() ? "unknown processor" : cpu.model;
    m.cores = std::max<std::int64_t>(1, std::thread::hardware_concurrency());
    m.memory = parse_memory_info(read_system_file("/proc/meminfo"));
    // Of the files, not sysconf(), which in virtual machines counts what belongs to other cores.
    const std::string caches = "/sys/devices/system/cpu/cpu0/cache/index";
    m.own_cache = parse_cache_size(read_system_file((caches + "2/size").c_str())).value_or(Bytes(1 << 20));
    m.cache = parse_cache_size(read_system_file((caches + "3/size").c_str())).value_or(Bytes(32 << 20));
    std::string governor = read_system_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
    while (!governor.empty() && governor.back() == '\n') governor.pop_back();
    if (!governor.empty()) m.governor = governor;
    return m;
}

std::vector<double> cores_mhz() { return parse_cpu_info(read_system_file("/proc/cpuinfo")).mhz; }

void ClockWatch::note(std::vector<double> mhz) { mhz_.insert(mhz_.end(), mhz.begin(), mhz.end()); }

bool ClockWatch::steady() const {
    if (mhz_.empty()) return true;
    std::vector<double> sorted = mhz_;
    std::sort(sorted.begin(), sorted.end());
    return sorted.front() >= 0.95 * sorted[sorted.size() / 2];
}

std::string ClockWatch::said(const std::optional<std::string>& governor) const {
    if (mhz_.empty()) return "not readable";
    std::vector<double> sorted = mhz_;
    std::sort(sorted.begin(), sorted.end());
    std::string text = sorted.front() == sorted.back()
                           ? fmt::format("{:.0f} MHz throughout", sorted.front())
                           : fmt::format("{:.0f} to {:.0f} MHz, median {:.0f}", sorted.front(), sorted.back(),
                                         sorted[sorted.size() / 2]);
    if (!steady()) text += ": the clock was not steady";
    if (governor) text += fmt::format(" (governor {})", *governor);
    return text;
}

}  // namespace moesim
