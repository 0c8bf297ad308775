#include "calibrate/measure/link_kinds.hpp"

#include <algorithm>
#include <string>

namespace moesim {

LinkKind link_kind(const Fabric& fabric, RankId from, RankId to) {
    LinkKind kind = LinkKind::nvlink;
    const Route route = fabric.route(from, to);
    for (const LinkId l : route.links()) {
        const LinkClass c = fabric.link(l).link_class;
        if (c != LinkClass::nvlink && c != LinkClass::pcie) return LinkKind::nic;
        if (c == LinkClass::pcie) kind = LinkKind::pcie;
    }
    return kind;
}

std::vector<Figure> link_figures(LinkKind kind) {
    const std::string of = name(kind);
    return {
        {of + ".efficiency", [=](const Profile& p) { return links_of(p, kind).efficiency.value; },
         [=](Profile& p, double v) { links_of(p, kind).efficiency.value = std::clamp(v, 1e-3, max_link_efficiency); }},
        {of + ".overhead", [=](const Profile& p) { return links_of(p, kind).overhead.value.value(); },
         [=](Profile& p, double v) { links_of(p, kind).overhead.value = Seconds(std::clamp(v, 1e-9, 1.0)); }}};
}

}  // namespace moesim
