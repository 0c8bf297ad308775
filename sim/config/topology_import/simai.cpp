#include "config/topology_import/simai.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "config/json_text.hpp"
#include "config/topology_import/link_list_builder.hpp"
#include "config/topology_json.hpp"
#include "config/trace/refuse.hpp"

namespace moesim {
namespace {

struct Word {
    std::string_view text;
    std::size_t line = 0;
};

std::vector<Word> words_of(std::string_view text) {
    std::vector<Word> words;
    std::size_t line = 1;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '\n') ++line;
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            ++at;
            continue;
        }
        const std::size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
        words.push_back({text.substr(at, end - at), line});
        at = end;
    }
    return words;
}

// ns-3's units (DataRate, Time).
std::optional<double> factor_of(std::string_view unit, std::initializer_list<std::pair<const char*, double>> units) {
    for (const auto& [name, factor] : units)
        if (unit == name) return factor;
    return std::nullopt;
}
std::optional<double> rate_unit(std::string_view unit) {
    return factor_of(
        unit, {{"bps", 0.125},  {"b/s", 0.125},  {"Bps", 1},      {"B/s", 1},      {"kbps", 125},   {"Kbps", 125},
               {"kb/s", 125},   {"Kb/s", 125},   {"kBps", 1e3},   {"KBps", 1e3},   {"kB/s", 1e3},   {"KB/s", 1e3},
               {"Mbps", 125e3}, {"Mb/s", 125e3}, {"MBps", 1e6},   {"MB/s", 1e6},   {"Gbps", 125e6}, {"Gb/s", 125e6},
               {"GBps", 1e9},   {"GB/s", 1e9},   {"Tbps", 125e9}, {"Tb/s", 125e9}, {"TBps", 1e12},  {"TB/s", 1e12}});
}
std::optional<double> time_unit(std::string_view unit) {
    return factor_of(unit, {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"ps", 1e-12}});
}

class Reader {
  public:
    Reader(std::string_view text, const std::string& file) : file_(file), words_(words_of(text)) {}

    [[noreturn]] void fail(const std::string& expected) const {
        const std::size_t line = words_.empty() ? 1 : words_[std::min(at_, words_.size() - 1)].line;
        refuse(fmt::format("{}: line {}", file_, line),
               at_ < words_.size() ? clipped('"' + std::string(words_[at_].text) + '"') : "the end of the file",
               expected);
    }
    std::size_t integer(std::size_t low, std::size_t high, const char* what) {
        const std::string expected = fmt::format("{}, an integer from {} to {}", what, low, high);
        std::size_t value = 0;
        if (at_ >= words_.size() || !whole(words_[at_].text, value) || value < low || value > high) fail(expected);
        ++at_;
        return value;
    }
    template <class Unit>
    double quantity(Unit unit, double low, double high, const char* what) {
        if (at_ >= words_.size()) fail(what);
        const std::string_view text = words_[at_].text;
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const auto factor = unit(text.substr(static_cast<std::size_t>(end - text.data())));
        if (error != std::errc{} || !factor || !(value * *factor >= low && value * *factor <= high)) fail(what);
        ++at_;
        return value * *factor;
    }
    // The rest of the line that the last word was on, which may be nothing.
    std::string rest_of_line() {
        std::string rest;
        for (const std::size_t line = words_[at_ - 1].line; at_ < words_.size() && words_[at_].line == line; ++at_)
            rest.append(rest.empty() ? "" : " ").append(words_[at_].text);
        return rest;
    }
    [[nodiscard]] bool at_end() const { return at_ >= words_.size(); }
    [[nodiscard]] std::size_t line() const { return words_[at_].line; }
    void back() { --at_; }

  private:
    static bool whole(std::string_view text, std::size_t& value) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc{} && end == text.data() + text.size();
    }
    const std::string& file_;
    std::vector<Word> words_;
    std::size_t at_ = 0;
};

enum class Role : unsigned char { gpu, nvswitch, network_switch };

struct Cable {
    std::size_t from = 0, to = 0;
    LinkSpec spec;
};

struct File {
    std::size_t gpus_per_server = 0;
    std::string gpu_type;
    std::vector<Role> role;  // [id]
    std::vector<Cable> cables;
};

File read_file_parts(Reader& r) {
    File f;
    const std::size_t ids = r.integer(1, max_listed_gpus + max_listed_switches, "node_num");
    f.gpus_per_server = r.integer(1, max_listed_gpus, "gpus_per_server");
    const std::size_t nvswitches = r.integer(0, std::min(ids - 1, max_listed_switches), "nvswitch_num");
    const std::size_t switches =
        r.integer(0, std::min(ids - 1 - nvswitches, max_listed_switches - nvswitches), "switch_num");
    const std::size_t links = r.integer(0, max_listed_links, "link_num");
    f.gpu_type = r.rest_of_line();
    f.role.assign(ids, Role::gpu);
    for (std::size_t s = 0; s < nvswitches + switches; ++s) {
        Role& role = f.role[r.integer(0, ids - 1, "the id of a switch")];
        if (role != Role::gpu) {
            r.back();
            r.fail("the id of another switch");
        }
        role = s < nvswitches ? Role::nvswitch : Role::network_switch;
    }
    for (std::size_t l = 0; l < links; ++l) {
        Cable c;
        c.from = r.integer(0, ids - 1, "the id where a link begins");
        c.to = r.integer(0, ids - 1, "the id where it ends");
        if (c.to == c.from) {
            r.back();
            r.fail("another end than the beginning of the link");
        }
        c.spec.bandwidth =
            BytesPerSecond(r.quantity(rate_unit, 1e3, 1e15, "a bandwidth of 1 kB/s to 1000 TB/s, such as \"400Gbps\""));
        c.spec.latency = Seconds(r.quantity(time_unit, 0, 1, "a latency of 0 to 1 s, such as \"0.0005ms\""));
        r.quantity([](std::string_view unit) { return unit.empty() ? std::optional(1.0) : std::nullopt; }, 0, 0,
                   "an error rate of 0, since losses are not modelled");
        f.cables.push_back(c);
    }
    if (!r.at_end()) r.fail(fmt::format("the end of the file after {} links", links));
    return f;
}

}  // namespace

TopologySpec read_simai(std::string_view text, const std::string& file) {
    Reader reader(text, file);
    const File f = read_file_parts(reader);
    LinkListBuilder builder;
    std::vector<std::uint32_t> vertex(f.role.size());
    const auto gpus = static_cast<std::size_t>(std::count(f.role.begin(), f.role.end(), Role::gpu));
    if (gpus > max_listed_gpus)
        refuse(file + ": line 1", fmt::format("{} GPUs", gpus), fmt::format("at most {}", max_listed_gpus));
    for (std::size_t id = 0; id < f.role.size(); ++id)
        if (f.role[id] == Role::gpu)
            vertex[id] = builder.add_gpu(static_cast<std::int64_t>(builder.gpus() / f.gpus_per_server));
    // An NVSwitch is of the server of the first GPU that is linked to it.
    std::map<std::size_t, std::uint32_t> of_server;
    std::vector<char> known(f.role.size(), 0);
    for (const Cable& c : f.cables)
        for (const auto& [end, other] : {std::pair(c.from, c.to), std::pair(c.to, c.from)}) {
            if (f.role[end] != Role::nvswitch || f.role[other] != Role::gpu || known[end]) continue;
            const std::size_t server = vertex[other] / f.gpus_per_server;
            const auto [at, is_new] = of_server.try_emplace(server, 0);
            if (is_new) at->second = builder.add_switch(fmt::format("node{}.nvswitch", server));
            vertex[end] = at->second;
            known[end] = 1;
        }
    for (std::size_t id = 0; id < f.role.size(); ++id)
        if (f.role[id] != Role::gpu && !known[id]) vertex[id] = builder.add_switch(fmt::format("switch{}", id));
    for (const Cable& c : f.cables) {
        const auto is = [&](Role role) { return f.role[c.from] == role || f.role[c.to] == role; };
        const LinkClass link_class = !is(Role::network_switch) ? LinkClass::nvlink
                                     : is(Role::gpu)           ? LinkClass::nic
                                                               : LinkClass::uplink;
        if (vertex[c.from] != vertex[c.to]) builder.add_cable(vertex[c.from], vertex[c.to], c.spec, link_class);
    }
    return builder.topology(file,
                            fmt::format("SimAI topology text{}{}", f.gpu_type.empty() ? "" : ", gpu_type ", f.gpu_type),
                            EqualPaths::hash);
}

}  // namespace moesim
