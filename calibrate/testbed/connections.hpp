#pragma once
// TCP connections between the hosts of a testbed, over its links.
#include <functional>

#include "calibrate/testbed/plan.hpp"

namespace moesim::testbed {

// An open socket, closed at the end of its life.
class Socket {
  public:
    explicit Socket(int fd);  // throws Error where there is none
    ~Socket();
    Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    Socket& operator=(Socket&&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

// Both ends are this process's, each in its host's namespace, and neither waits.
struct Connection {
    Socket from, to;
};

// Throws Error where there is no connection within 3 s.
Connection connect_hosts(const Plan& plan, std::size_t from, std::size_t to);

// The kernel bounds the windows of a route's connections (`cwnd lock`) only where it remembers an earlier connection
// (tcp_init_metrics in net/ipv4/tcp_metrics.c): makes one of each pair of hosts and ends it. Afterwards nothing more is
// remembered, so that all begin with what that one saw of an empty network. `often` is called now and then and may
// throw. Throws Error where a connection cannot be made or ended.
void bound_windows(const Plan& plan, const std::function<void()>& often);

// Packets that this end may have under way at present.
std::int64_t window_of(const Socket& socket);

}  // namespace moesim::testbed
