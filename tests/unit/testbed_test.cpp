// moesim testbed, as far as it needs neither root nor namespaces: what would be run.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "calibrate/testbed/build.hpp"
#include "calibrate/testbed/cpu_groups.hpp"
#include "calibrate/testbed/document.hpp"
#include "calibrate/testbed/launch.hpp"
#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/testbed_of_two.hpp"
#include "support/topologies.hpp"

using namespace moesim;
using namespace moesim::testbed;
using moesim::test::plan_of;
using moesim::test::two_hosts;

namespace {

std::string refusal_of(const TopologySpec& topology) {
    try {
        plan_of(topology);
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

}  // namespace

TEST_CASE("a testbed's rates are those of what TCP carries", "[testbed]") {
    // A packet of 9000 bytes carries 9000 - 20 - 20 - 12 = 8948 and is 9014 on the wire: 1e8 x 9014 / 8948.
    CHECK(wire_rate(BytesPerSecond(12.5e6), 9000) == 100737595);
    CHECK(wire_rate(BytesPerSecond(12.5e6), 1500) == 104558011);  // 1e8 x 1514 / 1448
}

TEST_CASE("what a connection may have under way is some time's worth, and four packets at least", "[testbed]") {
    // 3 ms at 25 MB/s are 75,000 bytes, 8.38 packets of 8,948; at 6.25 MB/s 2.1 packets.
    CHECK(window_of(BytesPerSecond(25e6), {}) == 8);
    CHECK(window_of(BytesPerSecond(6.25e6), {}) == 4);
}

TEST_CASE("two hosts at one switch, command by command", "[testbed]") {
    const Plan p = plan_of(two_hosts(), {{1, 0.25}});
    std::string text;
    for (const Step& s : p.steps)
        text += to_text(s.command) + "\n" +
                (s.command.argv[0] == "ip" && s.command.argv[2] == "exec" ? "" : s.command.input);
    // Vertices: gpu0, gpu1, leaf0 (2), spine (3). Links: gpu0's NIC up and down (0, 1), gpu1's (2, 3).
    // 2 ms at 12.5 MB/s are 25,000 bytes, a queue of 2 s on top of them 25,025,000. A millisecond is one packet of
    // 9,014. Acknowledgements have a tenth of the rate at least, data the rest. What 3 ms carry, 37,500 bytes, are 4.2
    // packets of 8,948.
    CHECK(text ==
          "tee /proc/sys/net/core/netdev_max_backlog\n"
          "100000"
          "ip netns add moesim-t-switches\n"
          "ip netns add moesim-t-gpu0\n"
          "ip netns add moesim-t-gpu1\n"
          "ip netns add moesim-t-control\n"
          "ip netns exec moesim-t-gpu0 sh\n"
          "ip netns exec moesim-t-gpu1 sh\n"
          "ip netns exec moesim-t-switches sh\n"
          "ip -n moesim-t-switches -batch -\n"
          "link add name v2 mtu 9000 type bridge stp_state 0 mcast_snooping 0\n"
          "link add name l1 mtu 9000 gso_max_size 9014 type veth peer name l0 address 02:6d:6f:65:00:01 mtu 9000 "
          "gso_max_size 9014 netns moesim-t-gpu0\n"
          "link add name l3 mtu 9000 gso_max_size 9014 type veth peer name l2 address 02:6d:6f:65:00:02 mtu 9000 "
          "gso_max_size 9014 netns moesim-t-gpu1\n"
          "link set l1 master v2 up\n"
          "link set l3 master v2 up\n"
          "link set v2 up\n"
          "tc -n moesim-t-gpu0 -batch -\n"
          "qdisc add dev l0 root handle 1: htb default 3\n"
          "class add dev l0 parent 1: classid 1:1 htb rate 100737595bit burst 25000 cburst 25000 quantum 9014\n"
          "class add dev l0 parent 1:1 classid 1:2 htb rate 10073759bit ceil 100737595bit burst 9014 cburst 25000 "
          "quantum 9014 prio 0\n"
          "qdisc add dev l0 parent 1:2 bfifo limit 25025000\n"
          "filter add dev l0 parent 1: pref 1 protocol ip u32 match ip protocol 6 0xff match u16 0 0xffc0 at 2 match "
          "u8 0x10 0xff at 33 flowid "
          "1:2\n"
          "class add dev l0 parent 1:1 classid 1:3 htb rate 90663836bit ceil 100737595bit burst 9014 cburst 25000 "
          "quantum 9014 prio 1\n"
          "qdisc add dev l0 parent 1:3 bfifo limit 25025000\n"
          "tc -n moesim-t-gpu1 -batch -\n"
          "qdisc add dev l2 root handle 1: htb default 3\n"
          "class add dev l2 parent 1: classid 1:1 htb rate 100737595bit burst 25000 cburst 25000 quantum 9014\n"
          "class add dev l2 parent 1:1 classid 1:2 htb rate 10073759bit ceil 100737595bit burst 9014 cburst 25000 "
          "quantum 9014 prio 0\n"
          "qdisc add dev l2 parent 1:2 bfifo limit 25025000\n"
          "filter add dev l2 parent 1: pref 1 protocol ip u32 match ip protocol 6 0xff match u16 0 0xffc0 at 2 match "
          "u8 0x10 0xff at 33 flowid "
          "1:2\n"
          "class add dev l2 parent 1:1 classid 1:3 htb rate 90663836bit ceil 100737595bit burst 9014 cburst 25000 "
          "quantum 9014 prio 1\n"
          "qdisc add dev l2 parent 1:3 bfifo limit 25025000\n"
          "tc -n moesim-t-switches -batch -\n"
          "qdisc add dev l1 root handle 1: htb default 3\n"
          "class add dev l1 parent 1: classid 1:1 htb rate 100737595bit burst 25000 cburst 25000 quantum 9014\n"
          "class add dev l1 parent 1:1 classid 1:2 htb rate 10073759bit ceil 100737595bit burst 9014 cburst 25000 "
          "quantum 9014 prio 0\n"
          "qdisc add dev l1 parent 1:2 bfifo limit 25025000\n"
          "filter add dev l1 parent 1: pref 1 protocol ip u32 match ip protocol 6 0xff match u16 0 0xffc0 at 2 match "
          "u8 0x10 0xff at 33 flowid "
          "1:2\n"
          "class add dev l1 parent 1:1 classid 1:10 htb rate 90663836bit ceil 100737595bit burst 9014 cburst 25000 "
          "quantum 9014 prio 1\n"
          "qdisc add dev l1 parent 1:10 bfifo limit 25025000\n"
          "filter add dev l1 parent 1: pref 2 protocol ip u32 match ip src 10.77.0.2/32 match ip dst 10.77.0.1/32 "
          "flowid 1:10\n"
          "qdisc add dev l3 root handle 1: htb default 3\n"
          "class add dev l3 parent 1: classid 1:1 htb rate 100737595bit burst 25000 cburst 25000 quantum 9014\n"
          "class add dev l3 parent 1:1 classid 1:2 htb rate 10073759bit ceil 100737595bit burst 9014 cburst 25000 "
          "quantum 9014 prio 0\n"
          "qdisc add dev l3 parent 1:2 bfifo limit 25025000\n"
          "filter add dev l3 parent 1: pref 1 protocol ip u32 match ip protocol 6 0xff match u16 0 0xffc0 at 2 match "
          "u8 0x10 0xff at 33 flowid "
          "1:2\n"
          "class add dev l3 parent 1:1 classid 1:10 htb rate 90663836bit ceil 100737595bit burst 9014 cburst 25000 "
          "quantum 9014 prio 1\n"
          "qdisc add dev l3 parent 1:10 bfifo limit 25025000\n"
          "filter add dev l3 parent 1: pref 2 protocol ip u32 match ip src 10.77.0.1/32 match ip dst 10.77.0.2/32 "
          "flowid 1:10\n"
          "bridge -n moesim-t-switches -batch -\n"
          "link set dev l1 learning off flood off mcast_flood off bcast_flood off\n"
          "link set dev l3 learning off flood off mcast_flood off bcast_flood off\n"
          "fdb add 02:6d:6f:65:00:01 dev l1 master static\n"
          "fdb add 02:6d:6f:65:00:02 dev l3 master static\n"
          "ip -n moesim-t-gpu0 -batch -\n"
          "link set lo up\n"
          "link set l0 arp off up\n"
          "address add 10.77.0.1/16 dev l0 noprefixroute\n"
          "neighbor add 10.77.0.2 lladdr 02:6d:6f:65:00:02 dev l0 nud permanent\n"
          "route add 10.77.0.2 dev l0 src 10.77.0.1 rto_min 3000ms initcwnd 4 cwnd lock 4 initrwnd 100\n"
          "ip -n moesim-t-gpu1 -batch -\n"
          "link set lo up\n"
          "link set l2 arp off up\n"
          "address add 10.77.0.2/16 dev l2 noprefixroute\n"
          "neighbor add 10.77.0.1 lladdr 02:6d:6f:65:00:01 dev l2 nud permanent\n"
          "route add 10.77.0.1 dev l2 src 10.77.0.2 rto_min 3000ms initcwnd 4 cwnd lock 4 initrwnd 100\n"
          "ip -n moesim-t-control -batch -\n"
          "link set lo up\n"
          "link add name control type bridge stp_state 0\n"
          "address add 10.78.255.1/16 dev control\n"
          "link set control up\n"
          "link add name c0 type veth peer name control netns moesim-t-gpu0\n"
          "link set c0 master control up\n"
          "link add name c1 type veth peer name control netns moesim-t-gpu1\n"
          "link set c1 master control up\n"
          "ip -n moesim-t-gpu0 -batch -\n"
          "address add 10.78.0.1/16 dev control\n"
          "link set control up\n"
          "ip -n moesim-t-gpu1 -batch -\n"
          "address add 10.78.0.2/16 dev control\n"
          "link set control up\n"
          "mkdir /groups/moesim-t-gpu1\n"
          "tee /groups/moesim-t-gpu1/cpu.cfs_period_us\n"
          "10000"
          "tee /groups/moesim-t-gpu1/cpu.cfs_quota_us\n"
          "2500");
}

TEST_CASE("switches of a testbed send everything the way the simulator does", "[testbed][property]") {
    // Following the tables from host to host gives each route, link by link.
    for (const char* name : {"testbed-8", "testbed-8-nodes", "testbed-16", "testbed-16-nodes"}) {
        const auto file =
            std::filesystem::path(MOESIM_SOURCE_DIR) / "topologies/testbed" / (std::string(name) + ".json");
        const Fabric fabric = build_fabric(parse_topology(nlohmann::json::parse(test::slurp(file)), name));
        const Forwarding table = forwarding(fabric, name);
        for (std::size_t from = 0; from < fabric.ranks(); ++from)
            for (std::size_t to = 0; to < fabric.ranks(); ++to) {
                if (from == to) continue;
                VertexId at(from);
                const Route route = fabric.route(RankId(from), RankId(to));
                for (const LinkId l : route.links()) {
                    REQUIRE(table.next[at.value()][to] == l);
                    at = fabric.link(l).to;
                }
                CHECK(at == VertexId(to));
            }
        for (std::size_t l = 0; l < fabric.links().size(); ++l) {
            const LinkId back = table.reverse[l];
            CHECK(table.reverse[back.value()] == LinkId(l));
            CHECK(fabric.link(back).from == fabric.links()[l].to);
        }
    }
}

TEST_CASE("clusters that no testbed can be are refused with what was found", "[testbed]") {
    CHECK(refusal_of(test::small_clos(EqualPaths::hash)).find("found several ways") != std::string::npos);
    TopologySpec rails = test::small_rails(4, 2, CrossRail::nvlink);
    CHECK(refusal_of(rails) ==
          "t.json: from gpu0 to gpu3: found a route through gpu1, expected routes through switches alone: a host of a "
          "testbed forwards nothing");
    TopologySpec fast = two_hosts();
    fast.nic = test::link_spec(50e9);
    CHECK(refusal_of(fast) == "t.json: gpu0.nic.up: found 50GB/s, expected at most 1.25GB/s for a link of a testbed");
    TopologySpec many = two_hosts();
    many.nodes = many.nodes_per_leaf = 251;
    CHECK(refusal_of(many) == "t.json: found 251 GPUs, expected 2 to 250 for a testbed");
}

TEST_CASE("control groups of both versions", "[testbed]") {
    const auto read = [](const std::string& path) -> std::string {
        return path == "/two/cgroup.subtree_control" ? "memory cpu pids\n" : "memory cpuset\n";
    };
    const CpuGroups one =
        find_cpu_groups("proc /proc proc rw 0 0\ncgroup /c/cpu cgroup rw,relatime,cpu,cpuacct 0 0\n", read);
    CHECK(one.version == 1);
    CHECK(one.root == "/c/cpu");
    CHECK(find_cpu_groups("cgroup /c/set cgroup rw,cpuset 0 0\ncgroup2 /two cgroup2 rw 0 0\n", read).version == 2);
    CHECK_THROWS_WITH(find_cpu_groups("cgroup2 /other cgroup2 rw 0 0\n", read),
                      "--cpu: found /other without cpu in cgroup.subtree_control, expected a mounted hierarchy of "
                      "control groups with the cpu controller");
    CHECK_THROWS_AS(find_cpu_groups("", read), Error);

    const Plan p = plan("t", build_fabric(two_hosts()), "t.json", {}, {{0, 0.01}}, CpuGroups{2, "/two"});
    CHECK(p.steps.back().command == Command{{"tee", "/two/moesim-t-gpu0/cpu.max"}, "1000 100000"});
}

TEST_CASE("ranks start on hosts of their own numbers", "[testbed]") {
    const Plan p = plan_of(two_hosts(), {{1, 0.25}});
    CHECK(host_file(p) == "gpu0 slots=1\ngpu1 slots=1\n");
    CHECK(launch_agent(p).find("gpu1) echo $$ >/groups/moesim-t-gpu1/cgroup.procs") != std::string::npos);
    const auto document = to_json(p, build_fabric(two_hosts()), two_hosts(), "/f", {});
    CHECK(document["hosts"][1]["address"] == "10.77.0.2");
    CHECK(document["hosts"][1]["cpus"] == 0.25);
    CHECK(document["links"].size() == 4);
    CHECK(document["mpirun"][0] == "mpirun");
    CHECK(document["mpirun"].dump().find("\"-x\",\"MOESIM_TESTBED=/f/testbed.json\"") != std::string::npos);
    CHECK(table(document).find("4 of 100 Mbit/s") != std::string::npos);
}

TEST_CASE("broken requests for a testbed", "[testbed][cli]") {
    const std::string shipped = std::string(MOESIM_SOURCE_DIR) + "/topologies/testbed/testbed-8.json";
    const auto said = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "testbed");
        const test::Ended ended = test::run_process(arguments);
        CHECK(ended.exit_code == 2);
        CHECK(ended.out.empty());
        return ended.err;
    };
    CHECK(said({"up", shipped, "--cpu", "3"}) ==
          "moesim: --cpu: found \"3\", expected RANK=CORES or all=CORES, from 0.01 to 1024 cores, such as 3=0.25\n");
    CHECK(said({"up", shipped, "--cpu", "8=0.5"}) ==
          "moesim: --cpu: found rank 8, expected one of the 8 that " + shipped + " has\n");
    CHECK(said({"up", shipped, "--queue", "1GB"}) ==
          "moesim: --queue: found \"1GB\", expected a time from 0.001s to 10s\n");
    CHECK(said({"up", shipped, "--name", "A"}).find("expected at most 24 small letters") != std::string::npos);
    CHECK(said({"run", "--state", "/nowhere", "--", "true"}).find("/nowhere/testbed: found no testbed") !=
          std::string::npos);
    CHECK(said({"up", "/nowhere.json"}).find("/nowhere.json") != std::string::npos);
}
