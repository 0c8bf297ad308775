// Clusters in others' formats.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "config/topology_import/nccl_xml.hpp"
#include "config/topology_import/read_topology.hpp"
#include "config/topology_import/simai.hpp"
#include "support/catch.hpp"
#include "support/topologies.hpp"
#include "topology/bisection.hpp"
#include "topology/describe.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

using Names = std::vector<std::string>;

// Two servers of two GPUs: 0 1 | 2 3. NVSwitches 4 5 | 6; switches 7 8 are leaves, 9 the spine.
const std::string simai =
    "10 2 3 3 14 H100\n"
    "4 5 6 7 8 9 \n"
    "0 4 1200Gbps 0.000025ms 0\n"
    "0 5 1200Gbps 0.000025ms 0\n"
    "1 4 1200Gbps 0.000025ms 0\n"
    "1 5 1200Gbps 0.000025ms 0\n"
    "2 6 2400Gbps 0.000025ms 0\n"
    "3 6 2400Gbps 0.000025ms 0\n"
    "0 7 400Gbps 0.0005ms 0\n"
    "1 8 400Gbps 0.0005ms 0\n"
    "2 7 400Gbps 0.0005ms 0\n"
    "3 8 400Gbps 0.0005ms 0\n"
    "7 9 400Gbps 0.0005ms 0\n"
    "7 9 400Gbps 0.0005ms 0\n"
    "8 9 400Gbps 0.0005ms 0\n"
    "8 9 400Gbps 0.0005ms 0\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != text.npos);
    return text.replace(at, from.size(), to);
}

std::string refusal(const std::string& text) {
    try {
        read_topology(text, "file");
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

// Two sockets; GPU 1 before GPU 0 in the file; one PCIe switch with GPU 0 and a NIC, GPU 1 at the other socket itself.
std::string nccl(const std::string& nvlinks_of_0, const std::string& nvlinks_of_1) {
    return "<system version=\"1\">\n"
           "  <cpu numaid=\"0\" affinity=\"ff\" arch=\"x86_64\" vendor=\"GenuineIntel\" familyid=\"6\" "
           "modelid=\"143\">\n"
           "    <pci busid=\"0000:1A:00.0\" class=\"0x030200\" link_speed=\"16.0 GT/s PCIe\" link_width=\"16\">\n"
           "      <gpu dev=\"1\" sm=\"90\" rank=\"1\" gdr=\"1\">" +
           nvlinks_of_1 +
           "</gpu>\n"
           "    </pci>\n"
           "  </cpu>\n"
           "  <cpu numaid=\"1\" affinity=\"ff00\" arch=\"x86_64\" vendor=\"GenuineIntel\" familyid=\"6\" "
           "modelid=\"143\">\n"
           "    <pci busid=\"0000:40:00.0\" class=\"0x060400\" link_speed=\"8.0 GT/s PCIe\" link_width=\"8\">\n"
           "      <pci busid=\"0000:41:00.0\" class=\"0x030200\" link_speed=\"32.0 GT/s PCIe\" link_width=\"0\">\n"
           "        <gpu dev=\"0\" sm=\"90\" rank=\"0\" gdr=\"1\">" +
           nvlinks_of_0 +
           "</gpu>\n"
           "      </pci>\n"
           "      <pci busid=\"0000:42:00.0\" class=\"0x020700\" link_speed=\"16.0 GT/s PCIe\" link_width=\"16\">\n"
           "        <nic>\n"
           "          <net name=\"mlx5_0\" dev=\"0\" speed=\"200000\" port=\"1\" guid=\"0x1\" maxconn=\"1\" "
           "gdr=\"1\"/>\n"
           "        </nic>\n"
           "      </pci>\n"
           "    </pci>\n"
           "  </cpu>\n"
           "</system>\n";
}

double narrowest(const Fabric& f, std::size_t from, std::size_t to) {
    double least = 1e300;
    const Route route = f.route(RankId(from), RankId(to));
    for (const LinkId id : route.links()) least = std::min(least, f.link(id).capacity.value());
    return least;
}

}  // namespace

TEST_CASE("SimAI's topology text: NVSwitches of a server are one, parallel links are one", "[topology]") {
    const TopologySpec t = read_topology(simai, "folder/spectrum.txt");
    CHECK(t.name == "spectrum");
    CHECK(t.source == "SimAI topology text, gpu_type H100");
    CHECK(t.gpus_per_node == 2);
    CHECK(t.nodes == 2);
    CHECK(read_back(t) == t);
    const Fabric f = build_fabric(t);
    CHECK(route_names(f, 0, 1) == Names{"gpu0->node0.nvswitch", "node0.nvswitch->gpu1"});
    CHECK(narrowest(f, 0, 1) == 300e9);  // twice 1200 Gbit/s
    CHECK(narrowest(f, 2, 3) == 300e9);
    CHECK(route_names(f, 0, 2) == Names{"gpu0->switch7", "switch7->gpu2"});
    CHECK(route_names(f, 0, 3) == Names{"gpu0->switch7", "switch7->switch9", "switch9->switch8", "switch8->gpu3"});
    CHECK(f.latency(f.route(RankId(0), RankId(3))).value() == Approx(2e-6));
    const Route up = f.route(RankId(0), RankId(3));
    CHECK(f.link(up.links()[1]).capacity.value() == 100e9);
    CHECK(f.link(up.links()[0]).link_class == LinkClass::nic);
    CHECK(f.link(up.links()[1]).link_class == LinkClass::uplink);
    CHECK(f.link(f.route(RankId(0), RankId(1)).links()[0]).link_class == LinkClass::nvlink);
    CHECK(bisection_bandwidth(f).value() == 100e9);  // the first server's two NICs
}

TEST_CASE("SimAI's equal paths between switches are chosen by hash", "[topology]") {
    // Four GPUs of one node each at leaf 4 or 5, and spines 6 and 7.
    const TopologySpec t = read_simai(
        "8 1 0 4 8 A100\n4 5 6 7\n0 4 1Gbps 1us 0\n1 4 1Gbps 1us 0\n2 5 1Gbps 1us 0\n3 5 1Gbps 1us 0\n"
        "4 6 1Gbps 1us 0\n4 7 1Gbps 1us 0\n5 6 1Gbps 1us 0\n5 7 1Gbps 1us 0\n",
        "file");
    CHECK(t.equal_paths == EqualPaths::hash);
    const Fabric f = build_fabric(t);
    std::size_t over_6 = 0, pairs = 0;
    for (std::size_t a = 0; a < 4; ++a)
        for (std::size_t b = 0; b < 4; ++b)
            if (a / 2 != b / 2) {
                const Names names = route_names(f, a, b);
                REQUIRE(names.size() == 4);
                ++pairs;
                over_6 += names[1].find("switch6") != std::string::npos ? 1U : 0U;
            }
    CHECK(pairs == 8);
    CHECK((over_6 > 0 && over_6 < 8));
}

TEST_CASE("broken SimAI texts get their exact message", "[topology]") {
    CHECK(refusal("10") ==
          "file: line 1: found the end of the file, expected gpus_per_server, an integer from 1 to 4096");
    CHECK(refusal(replaced(simai, "10 2 3", "10 2 x")) ==
          "file: line 1: found \"x\", expected nvswitch_num, an integer from 0 to 9");
    CHECK(refusal(replaced(simai, "3 3 14", "3 7 14")) ==
          "file: line 1: found \"7\", expected switch_num, an integer from 0 to 6");
    CHECK(refusal(replaced(simai, "4 5 6 7", "4 5 5 7")) ==
          "file: line 2: found \"5\", expected the id of another switch");
    CHECK(refusal(replaced(simai, "0 4 1200Gbps", "0 10 1200Gbps")) ==
          "file: line 3: found \"10\", expected the id where it ends, an integer from 0 to 9");
    CHECK(refusal(replaced(simai, "0 4 1200Gbps", "0 0 1200Gbps")) ==
          "file: line 3: found \"0\", expected another end than the beginning of the link");
    CHECK(refusal(replaced(simai, "0 4 1200Gbps", "0 4 1200GbpS")) ==
          "file: line 3: found \"1200GbpS\", expected a bandwidth of 1 kB/s to 1000 TB/s, such as \"400Gbps\"");
    CHECK(refusal(replaced(simai, "0 4 1200Gbps 0.000025ms", "0 4 1200Gbps -1ms")) ==
          "file: line 3: found \"-1ms\", expected a latency of 0 to 1 s, such as \"0.0005ms\"");
    CHECK(refusal(replaced(simai, "0 4 1200Gbps 0.000025ms 0", "0 4 1200Gbps 0.000025ms 0.01")) ==
          "file: line 3: found \"0.01\", expected an error rate of 0, since losses are not modelled");
    CHECK(refusal(simai + "1 2 3") == "file: line 17: found \"1\", expected the end of the file after 14 links");
    CHECK(refusal("3 1 0 1 1 X\n2\n0 2 1Gbps 1us 0\n") ==
          "file: the links: found no way from gpu1 to gpu0, expected one between all GPUs that passes through none "
          "(gpus_forward allows it)");
    CHECK(refusal("9000 8 0 1 1 X\n8999\n0 8999 1Gbps 1us 0\n") ==
          "file: line 1: found 8999 GPUs, expected at most 4096");
    CHECK(refusal("99999999999999999999999 1") ==
          "file: line 1: found \"99999999999999999999999\", expected node_num, an integer from 1 to 20480");
}

TEST_CASE("nccl's topology XML without NVLink: PCIe, the switch and both sockets", "[topology]") {
    const TopologySpec t = read_topology(nccl("", ""), "folder/dump.xml");
    CHECK(t.name == "dump");
    CHECK(t.gpus() == 2);
    CHECK(t.nodes == 1);
    CHECK(t.has_pcie());
    CHECK(read_back(t) == t);
    const Fabric f = build_fabric(t);
    const std::string bridge = "pci2.0000:40:00.0";
    CHECK(route_names(f, 0, 1) == Names{"gpu0->" + bridge, bridge + "->cpu1", "cpu1->cpu0", "cpu0->gpu1"});
    const Route route = f.route(RankId(0), RankId(1));
    const auto rate = [&](std::size_t i) { return f.link(route.links()[i]).capacity.value(); };
    CHECK(rate(0) == Approx(32e9 / 8 * 16 * 128 / 130));  // a width of 0 is 16
    CHECK(rate(1) == Approx(8e9 / 8 * 8 * 128 / 130));
    CHECK(rate(2) == 22e9);  // Sapphire Rapids
    CHECK(rate(3) == Approx(16e9 / 8 * 16 * 128 / 130));
    bool nic = false;
    for (const Link& link : f.links())
        nic = nic || (link.link_class == LinkClass::nic && link.capacity.value() == 25e9);
    CHECK(nic);
}

TEST_CASE("nccl's topology XML with NVLink, to NVSwitches and to the other GPU", "[topology]") {
    const std::string to_switches =
        "<nvlink target=\"0000:07:00.0\" count=\"5\" tclass=\"0x068000\"/>"
        "<nvlink target=\"0000:06:00.0\" count=\"13\" tclass=\"0x068000\"/>";
    const Fabric switched = build_fabric(read_nccl_xml(nccl(to_switches, to_switches), "file"));
    CHECK(route_names(switched, 0, 1) == Names{"gpu0->nvswitch", "nvswitch->gpu1"});
    CHECK(narrowest(switched, 0, 1) == 450e9);  // 18 x 25 GB/s
    const std::string to_0 = "<nvlink target=\"0000:41:00.0\" count=\"4\" tclass=\"0x030200\"/>";
    const std::string to_1 = "<nvlink target=\"0000:1a:00.0\" count=\"4\" tclass=\"0x030200\"/>";
    const Fabric direct = build_fabric(read_nccl_xml(nccl(to_1, to_0), "file"));
    CHECK(route_names(direct, 0, 1) == Names{"gpu0->gpu1"});
    CHECK(narrowest(direct, 0, 1) == 100e9);
}

TEST_CASE("broken nccl dumps get their exact message", "[topology]") {
    const std::string good = nccl("", "");
    CHECK(refusal("<system><cpu></system>") == "file: line 1: found Start-end tags mismatch, expected an XML document");
    CHECK(refusal("<topology/>") == "file: line 1: found <topology>, expected <system>, nccl's topology");
    CHECK(refusal("<system version=\"1\"/>") == "file: line 1: found no <gpu>, expected at least one");
    CHECK(refusal(replaced(good, "dev=\"1\"", "dev=\"one\"")) ==
          "file: line 4: found dev=\"one\", expected dev, an integer from 0 to 65535");
    CHECK(refusal(replaced(good, " sm=\"90\"", "")) ==
          "file: line 4: found <gpu> without sm, expected sm, an integer from 10 to 10000");
    CHECK(refusal(replaced(good, "link_width=\"8\"", "link_width=\"-8\"")) ==
          "file: line 8: found link_width=\"-8\", expected link_width, an integer from 0 to 64");
    CHECK(refusal(replaced(good, "speed=\"200000\"", "speed=\"\"")) ==
          "file: line 14: found speed=\"\", expected speed, an integer from 1 to 1000000000");
    CHECK(refusal(nccl("<nvlink target=\"0000:99:00.0\" count=\"4\" tclass=\"0x030200\"/>", "")) ==
          "file: line 10: found target=\"0000:99:00.0\", expected the busid of another GPU of the node");
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += fmt::format("<pci busid=\"{}\">", i);
    for (int i = 0; i < 100; ++i) deep += "</pci>";
    CHECK(refusal("<system><cpu modelid=\"1\">" + deep + "</cpu></system>") ==
          "file: line 1: found elements nested deeper, expected at most 32 levels");
}

TEST_CASE("what is none of the three formats is taken for JSON", "[topology]") {
    CHECK(refusal("") == "file: $: found an empty file, expected a JSON document");
    CHECK(refusal("{}") == "file: $.schema: found nothing, expected \"moesim.topology/1\"");
    CHECK(refusal("topology").rfind("file: $: found invalid literal", 0) == 0);
}
