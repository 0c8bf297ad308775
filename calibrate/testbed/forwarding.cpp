#include "calibrate/testbed/forwarding.hpp"

#include <fmt/format.h>

#include <map>

#include "base/error.hpp"

namespace moesim::testbed {
namespace {

// Cables: each link with the first one that leads back and has no partner yet.
std::vector<LinkId> reverses(const Fabric& fabric, const std::string& file) {
    std::map<std::pair<VertexId, VertexId>, std::vector<LinkId>> between;
    const auto& links = fabric.links();
    for (std::size_t l = 0; l < links.size(); ++l) between[{links[l].from, links[l].to}].emplace_back(l);
    std::vector<LinkId> reverse(links.size());
    for (const auto& [ends, there] : between) {
        const auto back = between.find({ends.second, ends.first});
        const std::size_t count = back == between.end() ? 0 : back->second.size();
        if (count != there.size())
            throw InputError(fmt::format(
                "{}: from {} to {}: found {} links that way and {} back, expected cables with two directions", file,
                fabric.vertices()[ends.first.value()].name, fabric.vertices()[ends.second.value()].name, there.size(),
                count));
        for (std::size_t i = 0; i < count; ++i) reverse[there[i].value()] = back->second[i];
    }
    return reverse;
}

}  // namespace

Forwarding forwarding(const Fabric& fabric, const std::string& file) {
    Forwarding all{{fabric.vertices().size(), std::vector<std::optional<LinkId>>(fabric.ranks())},
                   reverses(fabric, file),
                   std::vector<bool>(fabric.links().size())};
    const auto name = [&](VertexId v) { return fabric.vertices()[v.value()].name; };
    for (std::size_t from = 0; from < fabric.ranks(); ++from)
        for (std::size_t to = 0; to < fabric.ranks(); ++to) {
            if (from == to) continue;
            const Route route = fabric.route(RankId(from), RankId(to));
            for (const LinkId id : route.links()) {
                const Link& link = fabric.link(id);
                if (link.from.value() < fabric.ranks() && link.from != VertexId(from))
                    throw InputError(
                        fmt::format("{}: from gpu{} to gpu{}: found a route through {}, expected routes "
                                    "through switches alone: a host of a testbed forwards nothing",
                                    file, from, to, name(link.from)));
                std::optional<LinkId>& next = all.next[link.from.value()][to];
                if (next && *next != id)
                    throw InputError(
                        fmt::format("{}: at {}, to gpu{}: found several ways, {} and, for gpu{}, {}; expected one: the "
                                    "switches of a testbed choose by where something goes (\"routing\": \"spread\")",
                                    file, name(link.from), to, fabric.link(*next).name, from, link.name));
                next = id;
                all.used[id.value()] = all.used[all.reverse[id.value()].value()] = true;
            }
        }
    return all;
}

}  // namespace moesim::testbed
