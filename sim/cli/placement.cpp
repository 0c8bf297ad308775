#include "cli/placement.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <optional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "cli/output.hpp"
#include "config/placement_formats/read_placement.hpp"
#include "config/placement_formats/write_placement.hpp"
#include "result/placement_report.hpp"

namespace moesim {
namespace {

struct PlacementArguments {
    std::string file;
    std::optional<std::size_t> positions;
    std::optional<PlacementFormat> to;
    std::optional<std::string> out;
    bool json = false;
};

void show(const PlacementArguments& o) {
    const ReadPlacement placement = read_placement(std::filesystem::path(o.file), o.positions);
    if (o.positions && placement.document.positions != *o.positions)
        throw InputError(fmt::format("--positions: found {}, expected {}, which {} says", *o.positions,
                                     placement.document.positions, o.file));
    const std::string text = o.to     ? placement_text(placement.document, *o.to)
                             : o.json ? document(placement).dump(1) + "\n"
                                      : table(placement);
    if (!o.out) return print(text);
    write_file(*o.out, text);
    print(fmt::format("written      {}\n", *o.out));
}

}  // namespace

void add_placement_command(CLI::App& app) {
    static const std::map<std::string, PlacementFormat> formats = [] {
        std::map<std::string, PlacementFormat> all;
        for (std::size_t f = 0; f < placement_format_names.size(); ++f)
            all[std::string(placement_format_names[f])] = static_cast<PlacementFormat>(f);
        return all;
    }();
    auto options = std::make_shared<PlacementArguments>();
    CLI::App* command =
        app.add_subcommand("placement", "Shows where experts live, or writes it in another program's format");
    command
        ->add_option("FILE", options->file,
                     "moesim.placement/1, maps of EPLB (phy2log, log2phy, logcnt), SGLang's --init-expert-location, or "
                     "vLLM-Ascend's expert map; told by its content")
        ->required();
    command
        ->add_option("--positions", options->positions,
                     "GPUs that share the slots of a layer, which EPLB and SGLang do not say")
        ->check(CLI::Range(std::size_t{1}, max_positions));
    CLI::Option* json = command->add_flag("--json", options->json, "a document on stdout instead of the table");
    command
        ->add_option_function<std::string>(
            "--to", [options](const std::string& name) { options->to = formats.at(name); }, "the format to write")
        ->check(CLI::IsMember(&formats))
        ->excludes(json);
    command->add_option("-o,--out", options->out, "a file for what would go to stdout");
    command->callback([options] { show(*options); });
}

}  // namespace moesim
