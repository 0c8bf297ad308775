#include "calibrate/testbed/push.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/error.hpp"
#include "calibrate/testbed/name_space.hpp"

namespace moesim::testbed {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void refuse(const std::string& what) {
    throw Error(ExitCode::machine_lacks, fmt::format("{}: {}", what, std::strerror(errno)));
}

class Socket {
  public:
    explicit Socket(int fd) : fd_(fd) {
        if (fd < 0) refuse("a socket");
    }
    ~Socket() {
        if (fd_ >= 0) close(fd_);
    }
    Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    Socket& operator=(Socket&&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

struct Flow {
    std::size_t from = 0, to = 0;
    Socket out, in;
    std::int64_t arrived = 0;
};

sockaddr_in address_of(const Host& host) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    inet_pton(AF_INET, host.address.c_str(), &a.sin_addr);
    return a;
}

// A connection over the links from one host to another. Both ends are this process's, each in its host's namespace.
Flow connect_hosts(const Plan& plan, std::size_t from, std::size_t to) {
    sockaddr_in address = address_of(plan.hosts[to]);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    const Socket listener = [&] {
        const InNameSpace there(plan.hosts[to].name_space);
        return Socket(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    }();
    if (bind(listener.fd(), generic, length) != 0 || listen(listener.fd(), 1) != 0 ||
        getsockname(listener.fd(), generic, &length) != 0)
        refuse(fmt::format("listening at {}", plan.hosts[to].name));
    Socket out = [&] {
        const InNameSpace there(plan.hosts[from].name_space);
        return Socket(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    }();
    if (connect(out.fd(), generic, length) != 0 && errno != EINPROGRESS)
        refuse(fmt::format("from {} to {}", plan.hosts[from].name, plan.hosts[to].name));
    pollfd waited{listener.fd(), POLLIN, 0};
    if (poll(&waited, 1, 3000) != 1)
        throw Error(ExitCode::machine_lacks,
                    fmt::format("from {} to {}: found no connection after 3 s, expected the testbed's network to have "
                                "one; does a firewall on this machine look at bridges?",
                                plan.hosts[from].name, plan.hosts[to].name));
    return {from, to, std::move(out), Socket(accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK))};
}

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
        while (send(f.out.fd(), buffer.data(), buffer.size(), MSG_NOSIGNAL) > 0) {
        }
        for (ssize_t n = 0; (n = recv(f.in.fd(), buffer.data(), buffer.size(), 0)) > 0;) f.arrived += n;
    }
}

}  // namespace

CpuCost push(const Plan& plan, const Fabric& fabric, Seconds duration, const std::function<void()>& often) {
    const std::size_t n = fabric.ranks();
    std::vector<Flow> flows;
    for (std::size_t r = 0; r < n; ++r) {
        often();
        flows.push_back(connect_hosts(plan, r, (r + 1) % n));
        if (n > 3) flows.push_back(connect_hosts(plan, r, (r + n / 2) % n));
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
        const auto bytes = static_cast<double>(f.arrived);
        cost.bytes += bytes;
        cost.link_bytes += bytes * static_cast<double>(fabric.route(RankId(f.from), RankId(f.to)).links().size());
    }
    cost.cores = static_cast<double>(std::thread::hardware_concurrency());
    for (const Port& p : plan.ports) cost.full_link_bytes_per_s += p.rate.value();
    return cost;
}

}  // namespace moesim::testbed
