#include "cli/topology.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "cli/output.hpp"
#include "config/quantity.hpp"
#include "config/topology_import/read_topology.hpp"
#include "result/topology_export.hpp"
#include "result/topology_report.hpp"

namespace moesim {
namespace {

enum class Format : unsigned char { simgrid, dot, htsim, moesim };

struct TopologyArguments {
    std::string topology;
    std::optional<std::string> out;
    std::optional<Format> format;
    std::optional<std::string> bytes;
    bool json = false;
};

constexpr std::int64_t max_gpus = 16384;

Bytes message_size(const TopologyArguments& o) {
    if (!o.bytes) return Bytes(1 << 20);
    const auto size = parse_quantity(*o.bytes, Dimension::bytes);
    if (!size || !(*size >= 1 && *size <= 1e15))
        throw InputError(
            fmt::format("--bytes: found \"{}\", expected a size from 1B to 1000TB, such as \"4MiB\"", *o.bytes));
    return Bytes(std::llround(*size));
}

std::string answer(const TopologyArguments& o, const TopologySpec& spec) {
    const Fabric fabric = build_fabric(spec);
    if (!o.format) {
        const TopologyDescription description = describe(fabric);
        return o.json ? to_json(spec, fabric, description).dump(1) + "\n" : table(spec, fabric, description);
    }
    switch (*o.format) {
        case Format::simgrid: return simgrid_platform(fabric, spec.name);
        case Format::dot: return graphviz(fabric, spec.name);
        case Format::htsim: return htsim_connections(fabric, message_size(o));
        case Format::moesim: break;
    }
    const TopologySpec list = listed(spec, fabric);
    if (const double share = rerouted_share(fabric, build_fabric(list)); share > 0)
        fmt::print(stderr,
                   "moesim: note: a list of links has shortest routes: {:.1f}% of the pairs of GPUs take another "
                   "way than in {}\n",
                   100 * share, o.topology);
    return to_json(list).dump(1) + "\n";
}

void show(const TopologyArguments& o) {
    if (o.json && o.format) throw InputError("--json: found it beside --export, expected one of the two");
    if (o.bytes && o.format != Format::htsim)
        throw InputError("--bytes: found it without --export htsim, expected it beside that");
    const TopologySpec spec = read_topology(std::filesystem::path(o.topology));
    if (spec.gpus() > max_gpus)
        throw InputError(
            fmt::format("{}: found {} GPUs, expected at most {} to be shown", o.topology, spec.gpus(), max_gpus));
    const std::string text = answer(o, spec);
    if (!o.out) return print(text);
    write_file(*o.out, text);
    print(fmt::format("written      {}\n", *o.out));
}

}  // namespace

void add_topology_command(CLI::App& app) {
    static const std::map<std::string, Format> formats = {
        {"simgrid", Format::simgrid}, {"dot", Format::dot}, {"htsim", Format::htsim}, {"moesim", Format::moesim}};
    auto options = std::make_shared<TopologyArguments>();
    CLI::App* command = app.add_subcommand("topology", "Shows a cluster's network, or writes it for other programs");
    command
        ->add_option("TOPOLOGY", options->topology,
                     "moesim.topology/1 file, SimAI topology text, or nccl topology XML; told by its content")
        ->required();
    command->add_flag("--json", options->json, "the description document on stdout instead of the table");
    command
        ->add_option_function<std::string>(
            "--export", [options](const std::string& name) { options->format = formats.at(name); },
            "simgrid: platform XML; dot: Graphviz; htsim: connection matrix of an all-to-all; moesim: a "
            "moesim.topology/1 list of links")
        ->check(CLI::IsMember(&formats));
    command->add_option("-o,--out", options->out, "a file for what would go to stdout");
    command->add_option("--bytes", options->bytes, "of each message, for htsim (1MiB)");
    command->callback([options] { show(*options); });
}

}  // namespace moesim
