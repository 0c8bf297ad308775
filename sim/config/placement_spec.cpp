#include "config/placement_spec.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "config/placement_document.hpp"
#include "config/placement_formats/read_placement.hpp"
#include "config/scenario.hpp"

namespace moesim {
namespace {

constexpr std::array<std::string_view, 2> method_names = {"contiguous", "round_robin"};
constexpr std::array<std::string_view, 2> replica_names = {"locality", "round_robin"};

std::shared_ptr<const PlacementDocument> parse_document(const JsonValue& value, const ModelSpec& model,
                                                        const ParallelismSpec& parallelism,
                                                        const ResolveFile& resolve) {
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    auto document = embedded_or_named(value, resolve, [&](const auto& json, const auto& file, const auto& path) {
        return read_placement(json, file, path, size(parallelism.expert)).document;
    });
    if (document.layers.size() != size(model.moe_layers) || document.experts != size(model.experts))
        value.fail_with(fmt::format("a placement of {} layers of {} experts", document.layers.size(), document.experts),
                        fmt::format("one of {} layers of {} experts, the model's", model.moe_layers, model.experts));
    if (document.positions != size(parallelism.expert))
        value.fail_with(fmt::format("a placement on {} positions", document.positions),
                        fmt::format("one on {} (parallelism.expert)", parallelism.expert));
    return std::make_shared<const PlacementDocument>(std::move(document));
}

}  // namespace

bool PlacementSpec::operator==(const PlacementSpec& o) const {
    const bool same_document =
        document == nullptr || o.document == nullptr ? document == o.document : *document == *o.document;
    return same_document && method == o.method && replicas == o.replicas;
}

PlacementSpec parse_placement_spec(const JsonValue& value, const ModelSpec& model, const ParallelismSpec& parallelism,
                                   const ResolveFile& resolve) {
    PlacementSpec p;
    if (!value.present()) return p;
    const JsonObject o(value, {"method", "file", "replicas"});
    if (!o["file"].present()) {
        if (o["replicas"].present()) o["replicas"].fail("nothing, since only a placement from a file has copies");
        p.method = static_cast<PlacementMethod>(o["method"].choice(method_names));
        return p;
    }
    if (o["method"].present()) o["method"].fail("nothing, since \"file\" says where experts are");
    p.document = parse_document(o["file"], model, parallelism, resolve);
    if (o["replicas"].present()) p.replicas = static_cast<ReplicaPolicy>(o["replicas"].choice(replica_names));
    return p;
}

nlohmann::ordered_json to_json(const PlacementSpec& p) {
    if (!p.document) return {{"method", method_names[static_cast<std::size_t>(p.method)]}};
    return {{"file", to_json(*p.document)}, {"replicas", replica_names[static_cast<std::size_t>(p.replicas)]}};
}

}  // namespace moesim
