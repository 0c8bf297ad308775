// What is read of the operating system's texts.
#include "calibrate/measure/machine.hpp"
#include "support/catch.hpp"

using namespace moesim;

TEST_CASE("processor, clocks and memory are read from /proc", "[measure]") {
    const CpuInfo cpu = parse_cpu_info(
        "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\ncpu MHz\t\t: 2595.124\n\nprocessor\t: 1\nmodel name\t: other\n"
        "cpu MHz\t\t: 1200\nbogomips: x\n");
    CHECK(cpu.model == "A CPU @ 2 GHz");
    CHECK(cpu.mhz == std::vector<double>{2595.124, 1200});
    const MemoryInfo memory = parse_memory_info("MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    250 kB\n");
    CHECK(memory.total == Bytes(1'024'000));
    CHECK(memory.available == Bytes(256'000));
    CHECK(parse_cpu_info("").model.empty());
    CHECK(parse_cpu_info("cpu MHz : nan\ncpu MHz : -3\ncpu MHz :").mhz.empty());
    CHECK(parse_memory_info("MemTotal: many kB").total == Bytes(0));
    CHECK(parse_cache_size("32768K\n") == Bytes(33'554'432));
    CHECK(parse_cache_size("1M") == Bytes(1'048'576));
    for (const char* bad : {"", "K", "12", "12Q", "-3K", "1e30K"}) CHECK_FALSE(parse_cache_size(bad));
}

TEST_CASE("a clock that varied is said to", "[measure]") {
    ClockWatch watch;
    CHECK(watch.said() == "not readable");
    watch.note({2600, 2600});
    CHECK(watch.said() == "2600 MHz throughout");
    CHECK(watch.steady());
    watch.note({2600, 1300});
    CHECK(watch.said("powersave") == "1300 to 2600 MHz, median 2600: the clock was not steady (governor powersave)");
    CHECK_FALSE(watch.steady());
}
