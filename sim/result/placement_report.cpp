#include "result/placement_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "placement/document.hpp"
#include "result/human.hpp"

namespace moesim {
namespace {

struct LeastAndMost {
    std::size_t least = SIZE_MAX, most = 0;
    void add(std::size_t n) {
        least = std::min(least, n);
        most = std::max(most, n);
    }
    [[nodiscard]] std::string text() const {
        return least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most);
    }
};

std::string number_of(std::size_t n, std::string_view what) { return counted(static_cast<std::int64_t>(n), what); }

// How often experts are where a copy of theirs is already, and in how many layers.
struct Duplicates {
    std::size_t copies = 0, layers = 0;
};

Duplicates duplicates_of(const Placement& p) {
    Duplicates d;
    for (std::size_t l = 0; l < p.layers(); ++l) {
        const std::size_t before = d.copies;
        for (std::size_t e = 0; e < p.experts(); ++e) {
            const auto copies = p.replicas(LayerId(l), e);
            for (std::size_t c = 1; c < copies.size(); ++c) d.copies += copies[c] == copies[c - 1] ? 1 : 0;
        }
        if (d.copies > before) ++d.layers;
    }
    return d;
}

struct Counts {
    LeastAndMost a_layer, at_position, replicated, of_expert;
};

Counts counts_of(const PlacementDocument& d, const Placement& p) {
    Counts c;
    for (std::size_t l = 0; l < d.layers.size(); ++l) {
        c.a_layer.add(d.copies(l));
        for (const auto& held : d.layers[l]) c.at_position.add(held.size());
        std::size_t several = 0;
        for (std::size_t e = 0; e < d.experts; ++e) {
            c.of_expert.add(p.replicas(LayerId(l), e).size());
            several += p.replicas(LayerId(l), e).size() > 1 ? 1 : 0;
        }
        c.replicated.add(several);
    }
    return c;
}

}  // namespace

std::string table(const ReadPlacement& placement) {
    const PlacementDocument& d = placement.document;
    const Placement p = to_placement(d);
    const auto [a_layer, at_position, replicated, of_expert] = counts_of(d, p);
    std::string text = fmt::format(
        "{}: {}, {} of {} on {}\n\n", d.name, placement_format_names[static_cast<std::size_t>(placement.format)],
        number_of(d.layers.size(), "layer"), number_of(d.experts, "expert"), number_of(d.positions, "position"));
    if (!d.method.empty()) text += fmt::format("method       {}\n", d.method);
    if (const auto& o = d.objective)
        text += fmt::format("objective    {} {:.6g}{}\n", o->name, o->value,
                            o->bound ? fmt::format(", at least {:.6g}", *o->bound) : "");
    text +=
        fmt::format("copies       {} in a layer, {} at a position of a layer\n", a_layer.text(), at_position.text());
    if (!p.replicated()) return text;
    text += fmt::format("replicated   {} of the experts of a layer, {} copies of an expert\n", replicated.text(),
                        of_expert.text());
    if (const Duplicates twice = duplicates_of(p); twice.copies > 0)
        text += fmt::format("duplicates   {} where the expert is already, in {}\n",
                            twice.copies == 1 ? "1 copy" : fmt::format("{} copies", twice.copies),
                            number_of(twice.layers, "layer"));
    return text;
}

nlohmann::ordered_json document(const ReadPlacement& placement) {
    const PlacementDocument& d = placement.document;
    const Placement p = to_placement(d);
    const Counts c = counts_of(d, p);
    const Duplicates twice = duplicates_of(p);
    const auto pair = [](const LeastAndMost& n) -> nlohmann::ordered_json {
        return {{"least", n.least}, {"most", n.most}};
    };
    nlohmann::ordered_json j = {{"schema", "moesim.placement-report/1"},
                                {"name", d.name},
                                {"format", placement_format_names[static_cast<std::size_t>(placement.format)]},
                                {"layers", d.layers.size()},
                                {"experts", d.experts},
                                {"positions", d.positions},
                                {"copies_a_layer", pair(c.a_layer)},
                                {"copies_at_a_position", pair(c.at_position)},
                                {"replicated_experts_a_layer", pair(c.replicated)},
                                {"copies_of_an_expert", pair(c.of_expert)},
                                {"duplicates", {{"copies", twice.copies}, {"layers", twice.layers}}}};
    if (!d.method.empty()) j["method"] = d.method;
    if (const auto& o = d.objective) {
        j["objective"] = {{"name", o->name}, {"value", o->value}};
        if (o->bound) j["objective"]["bound"] = *o->bound;
    }
    return j;
}

}  // namespace moesim
