#include "calibrate/testbed/connections.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/error.hpp"
#include "calibrate/testbed/name_space.hpp"

namespace moesim::testbed {
namespace {

constexpr int patience_ms = 3000;

[[noreturn]] void refuse(const std::string& what) {
    throw Error(ExitCode::machine_lacks, fmt::format("{}: {}", what, std::strerror(errno)));
}

sockaddr_in address_of(const Host& host) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    inet_pton(AF_INET, host.address.c_str(), &a.sin_addr);
    return a;
}

void remember_connections(const Plan& plan, bool remember) {
    for (const Host& h : plan.hosts) {
        const InNameSpace there(h.name_space);
        std::ofstream setting("/proc/sys/net/ipv4/tcp_no_metrics_save");
        if (!(setting << (remember ? 0 : 1) << std::flush)) refuse("net.ipv4.tcp_no_metrics_save of " + h.name);
    }
}

// Until the other end has ended.
void wait_for_end(const Socket& socket, const Host& of) {
    pollfd waited{socket.fd(), POLLIN, 0};
    char byte = 0;
    const int ready = poll(&waited, 1, patience_ms);
    const ssize_t bytes = ready == 1 ? recv(socket.fd(), &byte, 1, 0) : 1;
    if (ready < 0 || bytes < 0) refuse(fmt::format("the end of a connection of {}", of.name));
    if (bytes > 0)
        throw Error(ExitCode::machine_lacks,
                    fmt::format("{}: found a connection that does not end within {} s", of.name, patience_ms / 1000));
}

}  // namespace

Socket::Socket(int fd) : fd_(fd) {
    if (fd < 0) refuse("a socket");
}
Socket::~Socket() {
    if (fd_ >= 0) close(fd_);
}

Connection connect_hosts(const Plan& plan, std::size_t from, std::size_t to) {
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
    if (poll(&waited, 1, patience_ms) != 1)
        throw Error(ExitCode::machine_lacks,
                    fmt::format("from {} to {}: found no connection after {} s, expected the testbed's network to have "
                                "one; does a firewall on this machine look at bridges?",
                                plan.hosts[from].name, plan.hosts[to].name, patience_ms / 1000));
    return {std::move(out), Socket(accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK))};
}

void bound_windows(const Plan& plan, const std::function<void()>& often) {
    remember_connections(plan, true);
    for (std::size_t from = 0; from < plan.hosts.size(); ++from) {
        often();
        for (std::size_t to = from + 1; to < plan.hosts.size(); ++to) {
            const Connection ends = connect_hosts(plan, from, to);
            // An end remembers when it knows the other's end, and the other one when its own is acknowledged.
            shutdown(ends.from.fd(), SHUT_WR);
            wait_for_end(ends.to, plan.hosts[to]);
            shutdown(ends.to.fd(), SHUT_WR);
            wait_for_end(ends.from, plan.hosts[from]);
        }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // what is acknowledged to the last ones
    remember_connections(plan, false);
}

std::int64_t window_of(const Socket& socket) {
    tcp_info info{};
    socklen_t length = sizeof info;
    if (getsockopt(socket.fd(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) refuse("what TCP says of a connection");
    return info.tcpi_snd_cwnd;
}

}  // namespace moesim::testbed
