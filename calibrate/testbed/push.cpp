#include "calibrate/testbed/push.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.hpp"
#include "calibrate/testbed/connections.hpp"

namespace moesim::testbed {
namespace {

using Clock = std::chrono::steady_clock;

struct Flow {
    std::size_t from = 0, to = 0;
    Connection ends;
    std::int64_t arrived = 0;
};

// Of this process, and of interrupts on all cores, which is where bridges and queues do their work.
double cpu_seconds() {
    rusage own{};
    getrusage(RUSAGE_SELF, &own);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    // cpu user nice system idle iowait irq softirq: in ticks (man 5 proc).
    std::ifstream stat("/proc/stat");
    std::string word;
    std::array<double, 7> ticks{};
    stat >> word;
    for (double& t : ticks) stat >> t;
    return seconds(own.ru_utime) + seconds(own.ru_stime) +
           (ticks[5] + ticks[6]) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Sends what fits and takes what is there.
void move_bytes(std::vector<Flow>& flows, std::vector<char>& buffer) {
    for (Flow& f : flows) {
        while (send(f.ends.from.fd(), buffer.data(), buffer.size(), MSG_NOSIGNAL) > 0) {
        }
        for (ssize_t n = 0; (n = recv(f.ends.to.fd(), buffer.data(), buffer.size(), 0)) > 0;) f.arrived += n;
    }
}

}  // namespace

CpuCost push(const Plan& plan, const Fabric& fabric, Seconds duration, const std::function<void()>& often) {
    const std::size_t n = fabric.ranks();
    std::vector<Flow> flows;
    const auto add = [&](std::size_t from, std::size_t to) {
        flows.push_back({from, to, connect_hosts(plan, from, to)});
    };
    for (std::size_t r = 0; r < n; ++r) {
        often();
        add(r, (r + 1) % n);
        if (n > 3) add(r, (r + n / 2) % n);
    }
    std::vector<char> buffer(65536);
    const auto begin = Clock::now();
    const double cpu_before = cpu_seconds();
    CpuCost cost;
    while (cost.seconds < duration.value()) {
        often();
        move_bytes(flows, buffer);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        cost.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    }
    cost.cpu_seconds = cpu_seconds() - cpu_before;
    for (const Flow& f : flows) {
        if (f.arrived == 0)
            throw Error(ExitCode::machine_lacks,
                        fmt::format("from {} to {}: found that nothing arrives within {} s", plan.hosts[f.from].name,
                                    plan.hosts[f.to].name, duration.value()));
        const LinkId first = fabric.route(RankId(f.from), RankId(f.to)).links().front();
        const std::int64_t allowed = window_of(fabric.link(first).capacity, plan.settings);
        if (const std::int64_t found = window_of(f.ends.from); found > allowed)
            throw Error(ExitCode::machine_lacks,
                        fmt::format("from {} to {}: found a window of {} packets, expected at most {}, which this "
                                    "machine's kernel does not hold to",
                                    plan.hosts[f.from].name, plan.hosts[f.to].name, found, allowed));
        const auto bytes = static_cast<double>(f.arrived);
        cost.bytes += bytes;
        cost.link_bytes += bytes * static_cast<double>(fabric.route(RankId(f.from), RankId(f.to)).links().size());
    }
    cost.cores = static_cast<double>(std::thread::hardware_concurrency());
    for (const Port& p : plan.ports) cost.full_link_bytes_per_s += p.rate.value();
    return cost;
}

}  // namespace moesim::testbed
