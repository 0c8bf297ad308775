#include "config/topology_import/nccl_xml.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <pugixml.hpp>

#include "config/json_text.hpp"
#include "config/topology_import/link_list_builder.hpp"
#include "config/topology_json.hpp"
#include "config/trace/refuse.hpp"

namespace moesim {
namespace {

constexpr double gb = 1e9;
constexpr Seconds nvlink_latency{1.15e-6}, pcie_latency{1e-6}, nic_latency{0.95e-6};
constexpr std::size_t max_elements = 65536;
constexpr int max_depth = 32;

struct Gpu {
    pugi::xml_node element, device;  // <gpu> and the <pci> around it
    std::string parent;              // key of the vertex that it is linked to
    std::size_t host = 0;
    std::int64_t dev = 0, sm = 0;
};

// A switch or CPU, or the end of a NIC's link, and what it is linked to.
struct Hub {
    std::string key, parent;
    LinkSpec spec;
    LinkClass link_class = LinkClass::pcie;
};

class Reader {
  public:
    Reader(std::string_view text, const std::string& file) : text_(text), file_(file) {
        const auto parsed = document_.load_buffer(text.data(), text.size());
        if (!parsed) refuse(place(static_cast<std::ptrdiff_t>(parsed.offset)), parsed.description(), "an XML document");
    }

    TopologySpec read() {
        const pugi::xml_node system = document_.document_element();
        if (std::string_view(system.name()) != "system")
            fail(system, fmt::format("<{}>", clipped(system.name())), "<system>, nccl's topology");
        for (const pugi::xml_node cpu : system.children("cpu")) read_cpu(cpu);
        if (gpus_.empty()) fail(system, "no <gpu>", "at least one");
        std::stable_sort(gpus_.begin(), gpus_.end(), [](const Gpu& a, const Gpu& b) {
            return std::pair(a.host, a.dev) < std::pair(b.host, b.dev);
        });
        return build();
    }

  private:
    [[nodiscard]] std::string place(std::ptrdiff_t offset) const {
        const auto end = text_.begin() + std::clamp<std::ptrdiff_t>(offset, 0, std::ssize(text_));
        return fmt::format("{}: line {}", file_, 1 + std::count(text_.begin(), end, '\n'));
    }
    [[noreturn]] void fail(pugi::xml_node at, const std::string& found, const std::string& expected) const {
        refuse(place(at.offset_debug()), found, expected);
    }
    [[noreturn]] void fail_attribute(pugi::xml_node at, const char* name, const std::string& expected) const {
        const pugi::xml_attribute a = at.attribute(name);
        fail(at,
             a ? clipped(fmt::format("{}=\"{}\"", name, a.value())) : fmt::format("<{}> without {}", at.name(), name),
             expected);
    }
    [[nodiscard]] std::int64_t integer(pugi::xml_node at, const char* name, std::int64_t low, std::int64_t high) const {
        const std::string_view text = at.attribute(name).value();
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high)
            fail_attribute(at, name, fmt::format("{}, an integer from {} to {}", name, low, high));
        return value;
    }
    // What the wire carries: "32.0 GT/s PCIe" times the lanes, less the coding: 8b/10b up to 5 GT/s, then 128b/130b,
    // and from 64 GT/s on 236 bytes of each 256 (PCI Express Base Specification 6.0, flit mode).
    [[nodiscard]] LinkSpec pcie_link(pugi::xml_node pci) const {
        double rate = 8;
        const std::string_view text = pci.attribute("link_speed").value();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rate);
        if (error != std::errc{} || !(rate > 0)) rate = 8;
        if (rate < 0.1 || rate > 1024) fail_attribute(pci, "link_speed", "0.1 to 1024 GT/s");
        std::int64_t width = pci.attribute("link_width") ? integer(pci, "link_width", 0, 64) : 16;
        if (width == 0) width = 16;
        const double coding = rate <= 5 ? 8.0 / 10 : rate < 64 ? 128.0 / 130 : 236.0 / 256;
        return {BytesPerSecond(rate * gb / 8 * static_cast<double>(width) * coding), pcie_latency};
    }

    void count(pugi::xml_node at) {
        if (++elements_ > max_elements) fail(at, "a large file", fmt::format("at most {} elements", max_elements));
    }

    void read_cpu(pugi::xml_node cpu) {
        count(cpu);
        const std::string host = cpu.attribute("host_hash").value();
        const std::size_t node = hosts_.try_emplace(host, hosts_.size()).first->second;
        const std::string key = fmt::format("cpu{}", cpus_.size());
        const std::string_view arch = cpu.attribute("arch").value(), vendor = cpu.attribute("vendor").value();
        double bandwidth = vendor == "AuthenticAMD" ? 16 * gb : 10 * gb;
        if (arch == "ppc64") bandwidth = 32 * gb;
        if (arch == "arm64") bandwidth = 6 * gb;
        if (vendor == "GenuineIntel") bandwidth = intel_bandwidth(integer(cpu, "modelid", 0, 100'000));
        for (const auto& [other_node, other_bandwidth, other] : cpus_)
            if (other_node == node)
                sockets_.push_back({key, other, {BytesPerSecond(std::min(bandwidth, other_bandwidth)), pcie_latency}});
        cpus_.emplace_back(node, bandwidth, key);
        hubs_.push_back({key, "", {}});
        read_children(cpu, key, node, 0);
    }

    void read_children(pugi::xml_node parent, const std::string& key, std::size_t host, int depth) {
        if (depth > max_depth) fail(parent, "elements nested deeper", fmt::format("at most {} levels", max_depth));
        for (const pugi::xml_node child : parent.children()) {
            count(child);
            const std::string_view name = child.name();
            if (name == "nic") read_nic(child, key);
            if (name == "pci") read_pci(child, key, host, depth);
        }
    }

    void read_pci(pugi::xml_node pci, const std::string& parent, std::size_t host, int depth) {
        for (const pugi::xml_node gpu : pci.children("gpu")) {
            count(gpu);
            if (gpus_.size() == max_listed_gpus) fail(gpu, "more GPUs", fmt::format("at most {}", max_listed_gpus));
            gpus_.push_back({gpu, pci, parent, host, integer(gpu, "dev", 0, 65535), integer(gpu, "sm", 10, 10000)});
        }
        if (pci.child("gpu")) return;
        for (const pugi::xml_node nic : pci.children("nic")) read_nic(nic, parent);
        if (!pci.child("pci")) return;
        const std::string busid = pci.attribute("busid").value();
        if (busid.empty()) fail_attribute(pci, "busid", "one");
        const std::string key = fmt::format("pci{}.{}", hubs_.size(), clipped(busid, 30));
        hubs_.push_back({key, parent, pcie_link(pci)});
        read_children(pci, key, host, depth + 1);
    }

    // The link of a NIC that is slower than its port is the NIC's: PCIe links of devices are left out.
    void read_nic(pugi::xml_node nic, const std::string& parent) {
        for (const pugi::xml_node net : nic.children("net")) {
            count(net);
            const double bandwidth = static_cast<double>(integer(net, "speed", 1, 1'000'000'000)) * 1e6 / 8;
            hubs_.push_back({fmt::format("net{}.{}", hubs_.size(), clipped(net.attribute("name").value(), 30)),
                             parent,
                             {BytesPerSecond(bandwidth), nic_latency},
                             LinkClass::nic});
        }
    }

    // Emerald Rapids, Sapphire Rapids, Skylake and later, what was before.
    static double intel_bandwidth(std::int64_t model) {
        if (model == 207) return 40 * gb;
        if (model == 143) return 22 * gb;
        return model >= 85 ? 10 * gb : 6 * gb;
    }

    static double nvlink_bandwidth(std::int64_t sm) {
        if (sm < 70) return 20 * gb;
        if (sm == 86) return 14.0625 * gb;
        return sm < 100 ? 25 * gb : 50 * gb;
    }

    static std::string lower(std::string text) {
        std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
        });
        return text;
    }

    TopologySpec build() {
        LinkListBuilder builder;
        std::map<std::pair<std::size_t, std::string>, std::uint32_t> at_bus;  // (host, bus)
        std::map<std::size_t, std::int64_t> node;                             // hosts that have GPUs, in their order
        for (const Gpu& g : gpus_) {
            const auto n = node.try_emplace(g.host, static_cast<std::int64_t>(node.size())).first->second;
            const std::uint32_t vertex = builder.add_gpu(n);
            at_bus.try_emplace({g.host, lower(g.device.attribute("busid").value())}, vertex);
        }
        std::map<std::string, std::uint32_t> vertex;
        for (const Hub& h : hubs_) vertex[h.key] = builder.add_switch(h.key);
        std::optional<std::uint32_t> nvswitch;
        for (std::uint32_t g = 0; g < gpus_.size(); ++g) {
            builder.add_cable(g, vertex.at(gpus_[g].parent), pcie_link(gpus_[g].device), LinkClass::pcie);
            for (const pugi::xml_node link : gpus_[g].element.children("nvlink")) {
                count(link);
                const double links = static_cast<double>(integer(link, "count", 1, 1000));
                const LinkSpec spec{BytesPerSecond(links * nvlink_bandwidth(gpus_[g].sm)), nvlink_latency};
                const std::string type = std::string(link.attribute("tclass").value()).substr(0, 6);
                if (type == "0x0680") {
                    if (!nvswitch) nvswitch = builder.add_switch("nvswitch");
                    builder.add_cable(g, *nvswitch, spec, LinkClass::nvlink);
                } else if (type == "0x0302") {
                    const auto other = at_bus.find({gpus_[g].host, lower(link.attribute("target").value())});
                    if (other == at_bus.end() || other->second == g)
                        fail_attribute(link, "target", "the busid of another GPU of the node");
                    builder.add_link(g, other->second, spec, LinkClass::nvlink);
                    builder.gpus_forward = true;
                }
            }
        }
        for (const Hub& h : hubs_)
            if (!h.parent.empty()) builder.add_cable(vertex.at(h.key), vertex.at(h.parent), h.spec, h.link_class);
        for (const Hub& s : sockets_) builder.add_cable(vertex.at(s.key), vertex.at(s.parent), s.spec, s.link_class);
        return builder.topology(file_,
                                "nccl topology dump. Bandwidths: PCIe and NIC as stated there, NVLink by datasheet, "
                                "between CPUs as in nccl's src/graph/topo.h. Latencies are assumed: 1.15 us NVLink, "
                                "1 us PCIe and between CPUs, 0.95 us NIC.",
                                EqualPaths::spread);
    }

    std::string_view text_;
    const std::string& file_;
    pugi::xml_document document_;
    std::size_t elements_ = 0;
    std::vector<Gpu> gpus_;
    std::vector<Hub> hubs_, sockets_;
    std::map<std::string, std::size_t> hosts_;
    std::vector<std::tuple<std::size_t, double, std::string>> cpus_;  // node, bandwidth to others, key
};

}  // namespace

TopologySpec read_nccl_xml(std::string_view text, const std::string& file) { return Reader(text, file).read(); }

}  // namespace moesim
