#pragma once
// What has to be run to build a fabric out of network namespaces, as a list of commands.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/testbed/command.hpp"
#include "calibrate/testbed/forwarding.hpp"

namespace moesim::testbed {

// The machine's own limit on packets that wait for a core, and what it has to be at least: a core that is busy
// otherwise lets more of them wait than the kernel's 1000, and what is dropped costs seconds.
inline constexpr const char* backlog_file = "/proc/sys/net/core/netdev_max_backlog";
inline constexpr std::int64_t least_backlog = 100000;

// How TCP and the links' queues are set. The defaults are those that gave the most even times (README, "A cluster on
// one machine").
struct Settings {
    std::string congestion_control = "reno";
    Seconds queue{2};                      // what a link's queue holds, in time at the link's rate
    Bytes eager{4 << 20};                  // MPI messages up to this size are sent at once
    Bytes buffer{16 << 20};                // of a socket, each way, at most; above the largest message
    std::int64_t mtu = 9000;               // bytes of an IP packet
    std::int64_t backlog = least_backlog;  // what backlog_file has before anything is built
    Seconds window{0.003};                 // what a connection may have under way, in time at its link's rate
};

// Where a control group with a limit on CPU time can be made.
struct CpuGroups {
    int version = 1;   // of the kernel's control groups
    std::string root;  // "/sys/fs/cgroup/cpu"
};

// What outlives the command that made it.
struct Made {
    enum class Kind : unsigned char { name_space, cpu_group, setting } kind = Kind::name_space;
    std::string name;  // a group's is its path; a setting's is "PATH=VALUE", the value that it had before
    [[nodiscard]] std::string path() const;
    bool operator==(const Made&) const = default;
};

struct Step {
    Command command;
    std::optional<Made> makes;
};

struct Host {
    std::string name;        // that of the fabric's vertex: "gpu3"
    std::string name_space;  // "moesim-NAME-gpu3"
    std::string address;     // on the links of the fabric
    std::string control;     // address on the network that mpirun starts ranks over; its rate is not limited
    std::string mac;
    std::optional<double> cpus;  // CPU time a second that its processes get together; none: no limit
    std::string cpu_group;       // where there is one
};

// One direction of a cable, as a device whose outgoing packets are shaped.
struct Port {
    std::string name;        // that of the fabric's link: "gpu3.nic.up"
    std::string name_space;  // where the device is
    std::string device;      // "l12" for link 12
    LinkId link, back;       // its own, and the other direction's
    VertexId at;             // where it begins
    BytesPerSecond rate;     // of what TCP carries
    std::int64_t wire_bits_per_s = 0, burst_bytes = 0, queue_bytes = 0;
};

struct Plan {
    std::string name;
    Settings settings;
    std::vector<Host> hosts;        // [rank]
    std::vector<Port> ports;        // of the cables that some route takes, in the order of links
    std::string switches, control;  // namespaces of all switches, and of mpirun
    std::vector<std::string> nets;  // "10.77.0.0/16", "10.78.0.0/16": of addresses, of control addresses
    std::vector<Step> steps;
};

inline constexpr std::size_t max_hosts = 250;
inline constexpr BytesPerSecond fastest_link{1.25e9};  // no core sends faster through several queues

// Bytes that a TCP packet carries.
std::int64_t payload(std::int64_t mtu);

// Packets that a connection over a link of that rate may have under way, acknowledged not yet: few, since what is under
// way waits in the queue of the link that binds, and a host that may fill such queues first takes no notice of them.
inline constexpr std::int64_t least_window = 4;
std::int64_t window_of(BytesPerSecond rate, const Settings& settings);

// Bits a second on the wire for packets of `mtu` bytes to carry `rate` of payload: an IPv4 and a TCP header with
// timestamps (20 + 20 + 12 bytes, RFC 9293, RFC 7323) are part of the MTU, an Ethernet header (14) is not, and tc
// counts all of them.
std::int64_t wire_rate(BytesPerSecond rate, std::int64_t mtu);

// `cpus`: limits by rank, of ranks that the fabric has; `groups` is then needed. Throws InputError, naming `file`, for
// fabrics that no testbed can be.
Plan plan(const std::string& name, const Fabric& fabric, const std::string& file, const Settings& settings,
          const std::map<std::size_t, double>& cpus, const std::optional<CpuGroups>& groups);

}  // namespace moesim::testbed
