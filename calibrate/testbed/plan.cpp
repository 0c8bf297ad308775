#include "calibrate/testbed/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "config/quantity.hpp"

namespace moesim::testbed {
namespace {

// What a link may send at once after it was idle: little, since it is time that a short transfer gets for nothing, and
// as much as timers may be late.
constexpr double burst_seconds = 0.002;
// What one connection may have in its host's queue: little, so that a host's connections take turns there, each soon.
constexpr double turn_seconds = 0.0025;
constexpr std::int64_t least_turn = 16384;             // bytes, of which a packet is not much less
constexpr std::int64_t least_promise = 100;            // packets that a receiver lets come at once
constexpr std::int64_t largest_queue = 2'000'000'000;  // bytes; tc takes 32 bits

constexpr std::int64_t ethernet_header = 14;

// Bytes of the packets that segmentation offload leaves together: what takes a link a millisecond, up to four.
std::int64_t whole(BytesPerSecond rate, std::int64_t mtu) {
    const std::int64_t packet = mtu + ethernet_header;
    return packet * std::clamp<std::int64_t>(std::llround(rate.value() * 0.001) / packet, 1, 4);
}

constexpr std::int64_t acknowledgements = 2, data = 3, first_pair = 16;  // classes of a port

std::string device(LinkId link) { return fmt::format("l{}", link.value()); }
std::string bridge(VertexId vertex) { return fmt::format("v{}", vertex.value()); }

// Lines for the batch mode of ip, bridge or tc.
class Batch {
  public:
    template <class... Parts>
    void add(fmt::format_string<Parts...> line, Parts&&... parts) {
        text_ += fmt::format(line, std::forward<Parts>(parts)...) + "\n";
    }
    [[nodiscard]] Step step(const char* program, const std::string& name_space) const {
        return {{{program, "-n", name_space, "-batch", "-"}, text_}, {}};
    }
    [[nodiscard]] bool empty() const { return text_.empty(); }

  private:
    std::string text_;
};

class Planner {
  public:
    Planner(Plan& plan, const Fabric& fabric, const Forwarding& forwarding)
        : plan_(plan), fabric_(fabric), forwarding_(forwarding) {}

    void write(const std::optional<CpuGroups>& groups) {
        if (plan_.settings.backlog < least_backlog)
            plan_.steps.push_back(
                {{{"tee", backlog_file}, fmt::format("{}", least_backlog)},
                 Made{Made::Kind::setting, fmt::format("{}={}", backlog_file, plan_.settings.backlog)}});
        add_name_space(plan_.switches);
        for (const Host& h : plan_.hosts) add_name_space(h.name_space);
        add_name_space(plan_.control);
        for (const Host& h : plan_.hosts) set_up_tcp(h);
        add_cables();
        shape();
        forward();
        for (std::size_t r = 0; r < plan_.hosts.size(); ++r) address(r);
        connect_control();
        for (const Host& h : plan_.hosts)
            if (h.cpus) limit(h, *groups);
    }

  private:
    [[nodiscard]] bool is_host(VertexId v) const { return v.value() < fabric_.ranks(); }
    [[nodiscard]] const std::string& place(VertexId v) const {
        return is_host(v) ? plan_.hosts[v.value()].name_space : plan_.switches;
    }
    [[nodiscard]] std::vector<VertexId> used_switches() const {
        std::set<VertexId> all;
        for (const Port& p : plan_.ports)
            if (!is_host(p.at)) all.insert(p.at);
        return {all.begin(), all.end()};
    }
    void add_name_space(const std::string& name) {
        plan_.steps.push_back({{{"ip", "netns", "add", name}, ""}, Made{Made::Kind::name_space, name}});
    }

    // Before there are devices, since these take some of it over when they are made.
    void set_up_tcp(const Host& h) {
        const Settings& s = plan_.settings;
        const std::string buffers = fmt::format("4096 1048576 {}", std::max<std::int64_t>(s.buffer.value(), 1 << 20));
        std::string text = "set -e; cd /proc/sys/net\n[ ! -d ipv6 ] || echo 1 >ipv6/conf/default/disable_ipv6\n";
        text += fmt::format("echo {} >ipv4/tcp_rmem\necho {} >ipv4/tcp_wmem\n", buffers, buffers);
        text += fmt::format(
            "grep -qw {0} ipv4/tcp_allowed_congestion_control || {{\n"
            "  echo \"--congestion-control: found {0}, expected one of: $(cat ipv4/tcp_allowed_congestion_control)\" "
            ">&2\n"
            "  exit 1\n}}\necho {0} >ipv4/tcp_congestion_control\n",
            s.congestion_control);
        // Connections are idle between one all-to-all and the next, and are to go on as they were.
        text += "echo 0 >ipv4/tcp_slow_start_after_idle\n";
        // Nothing is lost, and what is late is only waiting in a queue: to probe for it would send it twice.
        text += "echo 0 >ipv4/tcp_early_retrans\n";
        text += fmt::format("echo {} >ipv4/tcp_limit_output_bytes\n", turn_of(h));
        text += "echo 0 >ipv4/conf/all/rp_filter\necho 0 >ipv4/conf/default/rp_filter\n";
        plan_.steps.push_back({{{"ip", "netns", "exec", h.name_space, "sh"}, text}, {}});
    }

    // Milliseconds after which TCP may take something for lost: a full queue, and some.
    [[nodiscard]] std::int64_t longest_wait() const { return std::llround(1000 * plan_.settings.queue.value()) + 1000; }
    [[nodiscard]] std::int64_t turn_of(const Host& h) const {
        BytesPerSecond slowest = fastest_link;
        for (const Port& p : plan_.ports)
            if (p.name_space == h.name_space) slowest = std::min(slowest, p.rate);
        return std::max<std::int64_t>(least_turn, std::llround(slowest.value() * turn_seconds));
    }

    void add_cables() {
        const std::int64_t mtu = plan_.settings.mtu;
        Batch switches;
        for (const VertexId v : used_switches())
            switches.add("link add name {} mtu {} type bridge stp_state 0 mcast_snooping 0", bridge(v), mtu);
        std::map<std::string, Batch> direct;  // cables between two hosts, by the namespace that they are made in
        const auto end = [&](VertexId at, LinkId link) {
            const std::string name =
                is_host(at) ? fmt::format("{} address {}", device(link), plan_.hosts[at.value()].mac) : device(link);
            return fmt::format("name {} mtu {} gso_max_size {}", name, mtu, whole(fabric_.link(link).capacity, mtu));
        };
        for (const Port& p : plan_.ports) {
            if (p.back < p.link) continue;
            LinkId near = p.link, far = p.back;  // made at the switch, if there is one
            if (is_host(fabric_.link(near).from)) std::swap(near, far);
            const VertexId here = fabric_.link(near).from, there = fabric_.link(far).from;
            (is_host(here) ? direct[place(here)] : switches)
                .add("link add {} type veth peer {} netns {}", end(here, near), end(there, far), place(there));
        }
        for (const Port& p : plan_.ports)
            if (!is_host(p.at)) switches.add("link set {} master {} up", p.device, bridge(p.at));
        for (const VertexId v : used_switches()) switches.add("link set {} up", bridge(v));
        // What the kernel would say to the network by itself is neither wanted nor forwarded.
        plan_.steps.push_back(
            {{{"ip", "netns", "exec", plan_.switches, "sh"},
              "[ ! -d /proc/sys/net/ipv6 ] || echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6\n"},
             {}});
        if (!switches.empty()) plan_.steps.push_back(switches.step("ip", plan_.switches));
        for (const auto& [where, batch] : direct) plan_.steps.push_back(batch.step("ip", where));
    }

    // A host's data have one queue, in which its connections take turns by themselves (tcp_limit_output_bytes). At a
    // switch each pair of hosts has a queue of its own, and those that hold something take turns: with one for all,
    // what came first would hold up what comes later, and connections would not share a link evenly, as they are
    // simulated to.
    void shape() {
        std::map<LinkId, std::vector<std::pair<std::size_t, std::size_t>>> pairs;
        for (std::size_t from = 0; from < fabric_.ranks(); ++from)
            for (std::size_t to = 0; to < fabric_.ranks(); ++to) {
                if (from == to) continue;
                const Route route = fabric_.route(RankId(from), RankId(to));
                for (const LinkId link : route.links()) pairs[link].emplace_back(from, to);
            }
        std::map<std::string, Batch> by_place;
        for (const Port& p : plan_.ports) {
            Batch& batch = by_place[p.name_space];
            take_turns(batch, p, is_host(p.at) ? std::vector<std::pair<std::size_t, std::size_t>>{} : pairs[p.link]);
        }
        for (const auto& [where, batch] : by_place) plan_.steps.push_back(batch.step("tc", where));
    }

    // Acknowledgements first: behind data they would hold up what is sent the other way. Then all data, or each of
    // `pairs` in turn: any may have all of the link, and an equal part of it at any rate.
    void take_turns(Batch& batch, const Port& p, const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
        const std::int64_t packet = plan_.settings.mtu + ethernet_header;
        const auto add_class = [&](std::int64_t number, std::int64_t bits_per_s, int order) {
            batch.add(
                "class add dev {} parent 1:1 classid 1:{:x} htb rate {}bit ceil {}bit burst {} cburst {} quantum {} "
                "prio {}",
                p.device, number, bits_per_s, p.wire_bits_per_s, packet, p.burst_bytes, packet, order);
            batch.add("qdisc add dev {} parent 1:{:x} bfifo limit {}", p.device, number, p.queue_bytes);
        };
        batch.add("qdisc add dev {} root handle 1: htb default {}", p.device, data);
        batch.add("class add dev {} parent 1: classid 1:1 htb rate {}bit burst {} cburst {} quantum {}", p.device,
                  p.wire_bits_per_s, p.burst_bytes, p.burst_bytes, packet);
        const std::int64_t for_acknowledgements = p.wire_bits_per_s / 10;
        add_class(acknowledgements, for_acknowledgements, 0);
        // IP packets below 64 bytes, of TCP with no flag but ACK.
        batch.add(
            "filter add dev {} parent 1: pref 1 protocol ip u32 match ip protocol 6 0xff match u16 0 0xffc0 at 2 match "
            "u8 0x10 0xff at 33 "
            "flowid 1:{:x}",
            p.device, acknowledgements);
        const std::int64_t for_data = p.wire_bits_per_s - for_acknowledgements;
        if (pairs.empty()) add_class(data, for_data, 1);
        const auto count = static_cast<std::int64_t>(pairs.size());
        for (std::int64_t i = 0; i < count; ++i) {
            const auto& [from, to] = pairs[static_cast<std::size_t>(i)];
            add_class(first_pair + i, for_data / count, 1);
            batch.add(
                "filter add dev {} parent 1: pref 2 protocol ip u32 match ip src {}/32 match ip dst {}/32 "
                "flowid 1:{:x}",
                p.device, plan_.hosts[from].address, plan_.hosts[to].address, first_pair + i);
        }
    }

    // Nothing is learnt or flooded: everything goes where the simulator sends it, or nowhere.
    void forward() {
        Batch batch;
        for (const Port& p : plan_.ports)
            if (!is_host(p.at))
                batch.add("link set dev {} learning off flood off mcast_flood off bcast_flood off", p.device);
        for (const VertexId v : used_switches())
            for (std::size_t to = 0; to < fabric_.ranks(); ++to)
                if (const auto next = forwarding_.next[v.value()][to])
                    batch.add("fdb add {} dev {} master static", plan_.hosts[to].mac, device(*next));
        if (!batch.empty()) plan_.steps.push_back(batch.step("bridge", plan_.switches));
    }

    // A host has one address, and a route to each other host over the link that the simulator takes.
    void address(std::size_t rank) {
        const Host& h = plan_.hosts[rank];
        Batch batch;
        batch.add("link set lo up");
        bool first = true;
        for (const Port& p : plan_.ports) {
            if (p.at != VertexId(rank)) continue;
            batch.add("link set {} arp off up", p.device);
            if (first) batch.add("address add {}/16 dev {} noprefixroute", h.address, p.device);
            first = false;
        }
        for (std::size_t to = 0; to < plan_.hosts.size(); ++to)
            if (const auto next = forwarding_.next[rank][to]) {
                const Host& other = plan_.hosts[to];
                batch.add("neighbor add {} lladdr {} dev {} nud permanent", other.address, other.mac, device(*next));
                const std::int64_t window = window_of(fabric_.link(*next).capacity, plan_.settings);
                batch.add("route add {} dev {} src {} rto_min {}ms initcwnd {} cwnd lock {} initrwnd {}", other.address,
                          device(*next), h.address, longest_wait(), window, window, std::max(window, least_promise));
            }
        plan_.steps.push_back(batch.step("ip", h.name_space));
    }

    void connect_control() {
        Batch batch;
        batch.add("link set lo up");
        batch.add("link add name control type bridge stp_state 0");
        batch.add("address add 10.78.255.1/16 dev control");
        batch.add("link set control up");
        for (std::size_t r = 0; r < plan_.hosts.size(); ++r) {
            batch.add("link add name c{} type veth peer name control netns {}", r, plan_.hosts[r].name_space);
            batch.add("link set c{} master control up", r);
        }
        plan_.steps.push_back(batch.step("ip", plan_.control));
        for (const Host& h : plan_.hosts) {
            Batch own;
            own.add("address add {}/16 dev control", h.control);
            own.add("link set control up");
            plan_.steps.push_back(own.step("ip", h.name_space));
        }
    }

    void limit(const Host& h, const CpuGroups& groups) {
        // Short periods, so that a rank is slow all the time and not for long at a time; 1 ms is the least quota.
        const auto period = static_cast<std::int64_t>(std::max(10000.0, std::ceil(1000 / *h.cpus)));
        const auto quota = std::max<std::int64_t>(1000, std::llround(*h.cpus * static_cast<double>(period)));
        plan_.steps.push_back({{{"mkdir", h.cpu_group}, ""}, Made{Made::Kind::cpu_group, h.cpu_group}});
        const auto set = [&](const char* key, const std::string& value) {
            plan_.steps.push_back({{{"tee", h.cpu_group + key}, value}, {}});
        };
        if (groups.version == 2) return set("/cpu.max", fmt::format("{} {}", quota, period));
        set("/cpu.cfs_period_us", fmt::format("{}", period));
        set("/cpu.cfs_quota_us", fmt::format("{}", quota));
    }

    Plan& plan_;
    const Fabric& fabric_;
    const Forwarding& forwarding_;
};

std::vector<Host> hosts(const std::string& name, const Fabric& fabric, const std::map<std::size_t, double>& cpus,
                        const std::optional<CpuGroups>& groups) {
    std::vector<Host> all;
    for (std::size_t r = 0; r < fabric.ranks(); ++r) {
        Host h;
        h.name = fabric.vertices()[r].name;
        h.name_space = fmt::format("moesim-{}-{}", name, h.name);
        h.address = fmt::format("10.77.0.{}", r + 1);
        h.control = fmt::format("10.78.0.{}", r + 1);
        h.mac = fmt::format("02:6d:6f:65:00:{:02x}", r + 1);  // of those that anybody may give out
        if (const auto found = cpus.find(r); found != cpus.end()) {
            if (!groups) throw InternalError("a limit on CPU time without control groups");
            h.cpus = found->second;
            h.cpu_group = fmt::format("{}/{}", groups->root, h.name_space);
        }
        all.push_back(std::move(h));
    }
    return all;
}

std::vector<Port> ports(const Plan& plan, const Fabric& fabric, const Forwarding& table, const std::string& file) {
    std::vector<Port> all;
    for (std::size_t l = 0; l < fabric.links().size(); ++l) {
        if (!table.used[l]) continue;
        const Link& link = fabric.links()[l];
        if (!(link.capacity <= fastest_link))
            throw InputError(fmt::format("{}: {}: found {}, expected at most {} for a link of a testbed", file,
                                         link.name, readable_quantity(link.capacity.value(), Dimension::bandwidth),
                                         readable_quantity(fastest_link.value(), Dimension::bandwidth)));
        Port p;
        p.name = link.name;
        p.link = LinkId(l);
        p.back = table.reverse[l];
        p.at = link.from;
        p.name_space = link.from.value() < fabric.ranks() ? plan.hosts[link.from.value()].name_space : plan.switches;
        p.device = device(p.link);
        p.rate = link.capacity;
        p.wire_bits_per_s = wire_rate(link.capacity, plan.settings.mtu);
        p.burst_bytes = std::max<std::int64_t>(2 * (plan.settings.mtu + ethernet_header),
                                               std::llround(link.capacity.value() * burst_seconds));
        p.queue_bytes =
            p.burst_bytes +
            std::min<std::int64_t>(largest_queue, std::llround(link.capacity.value() * plan.settings.queue.value()));
        all.push_back(std::move(p));
    }
    return all;
}

}  // namespace

std::string Made::path() const {
    if (kind == Kind::name_space) return "/run/netns/" + name;
    return kind == Kind::setting ? name.substr(0, name.find('=')) : name;
}

std::int64_t payload(std::int64_t mtu) { return mtu - 52; }

std::int64_t window_of(BytesPerSecond rate, const Settings& settings) {
    return std::max<std::int64_t>(least_window, std::llround(rate.value() * settings.window.value() /
                                                             static_cast<double>(payload(settings.mtu))));
}

std::int64_t wire_rate(BytesPerSecond rate, std::int64_t mtu) {
    return std::llround(8 * rate.value() * static_cast<double>(mtu + ethernet_header) /
                        static_cast<double>(payload(mtu)));
}

Plan plan(const std::string& name, const Fabric& fabric, const std::string& file, const Settings& settings,
          const std::map<std::size_t, double>& cpus, const std::optional<CpuGroups>& groups) {
    if (fabric.ranks() < 2 || fabric.ranks() > max_hosts)
        throw InputError(
            fmt::format("{}: found {} GPUs, expected 2 to {} for a testbed", file, fabric.ranks(), max_hosts));
    const Forwarding table = forwarding(fabric, file);
    Plan plan;
    plan.name = name;
    plan.settings = settings;
    plan.hosts = hosts(name, fabric, cpus, groups);
    plan.switches = fmt::format("moesim-{}-switches", name);
    plan.control = fmt::format("moesim-{}-control", name);
    plan.nets = {"10.77.0.0/16", "10.78.0.0/16"};
    plan.ports = ports(plan, fabric, table, file);
    Planner(plan, fabric, table).write(groups);
    return plan;
}

}  // namespace moesim::testbed
