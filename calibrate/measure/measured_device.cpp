#include "calibrate/measure/measured_device.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace moesim {

MeasuredDevice measured_core(const Machine& machine, std::int64_t ranks, const std::string& date) {
    MeasuredDevice d;
    d.profile = "cpu-" + machine.host;
    d.device = fmt::format("{}, one core of {}", machine.model, machine.cores);
    const std::string shared = ranks > 1 ? fmt::format(", of which {} ranks have equal parts", ranks) : "";
    const Bytes total = machine.memory.total, available = machine.memory.available;
    const Bytes memory(std::max<std::int64_t>(total.value(), 1'000'000'000) / ranks);
    d.memory = {memory, fmt::format("/proc/meminfo: MemTotal{}.", shared)};
    d.reserved = {Bytes(std::clamp<std::int64_t>((total.value() - available.value()) / ranks, 0, memory.value() / 2)),
                  fmt::format("/proc/meminfo: MemTotal less MemAvailable, {}{}.", date, shared)};
    d.usable = Bytes(available.value() / 2 / ranks);
    d.caches = {machine.cache, Bytes(machine.cache.value() / 2), Bytes(machine.cache.value() / 4), machine.own_cache};
    const std::string tiles = "A core works on its rows one after the other: nothing is rounded up.";
    d.multiprocessors = {1, "A rank is one core."};
    d.tile_m = {1, tiles};
    d.tile_n = {1, tiles};
    d.on_core = true;
    d.governor = machine.governor;
    d.clock_mhz = cores_mhz;
    return d;
}

}  // namespace moesim
