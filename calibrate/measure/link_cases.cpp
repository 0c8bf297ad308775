#include "calibrate/measure/link_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "base/random.hpp"

namespace moesim {
namespace {

constexpr std::uint64_t skew_purpose = 0x6c696e6b73;

// Sizes of all pairs: bytes(from, to).
LinkCase all_pairs(const Fabric& fabric, const std::string& shape,
                   const std::function<double(std::size_t, std::size_t)>& bytes) {
    LinkCase c{shape, {}, false};
    for (std::size_t from = 0; from < fabric.ranks(); ++from)
        for (std::size_t i = 1; i < fabric.ranks(); ++i) {
            // Every rank begins with the one after it, so that not all of them begin with the same.
            const std::size_t to = (from + i) % fabric.ranks();
            c.transfers.push_back({RankId(from), RankId(to),
                                   Bytes(std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes(from, to))))});
        }
    return c;
}

// From `first` by `factor`, up or down, until `last` is passed.
std::vector<double> geometric(double first, double last, double factor) {
    std::vector<double> values;
    double v = first;
    while (factor > 1 ? v <= last : v >= last) {
        values.push_back(v);
        v *= factor;
    }
    return values;
}

LinkCase single_bytes(const Fabric& fabric, bool across) {
    LinkCase c = all_pairs(fabric, fmt::format("all pairs {}, 1 B", across ? "across nodes" : "within a node"),
                           [](std::size_t, std::size_t) { return 1.0; });
    std::erase_if(c.transfers, [&](const Transfer& t) { return fabric.crosses_nodes(t.from, t.to) != across; });
    return c;
}

// Of each kind of route, by the classes of its links in order, the first pair.
std::vector<std::pair<RankId, RankId>> kinds_of_pairs(const Fabric& fabric) {
    std::set<std::string> seen;
    std::vector<std::pair<RankId, RankId>> pairs;
    for (std::size_t from = 0; from < fabric.ranks(); ++from)
        for (std::size_t to = from + 1; to < fabric.ranks(); ++to) {
            std::string kind;
            const Route route = fabric.route(RankId(from), RankId(to));
            for (const LinkId l : route.links())
                kind += fmt::format("{} {} ", link_class_names[static_cast<std::size_t>(fabric.link(l).link_class)],
                                    fabric.link(l).capacity.value());
            if (seen.insert(kind).second) pairs.emplace_back(from, to);
        }
    return pairs;
}

}  // namespace

std::size_t messages_of_one(const LinkCase& c) {
    std::map<RankId, std::size_t> of;
    std::size_t most = 0;
    for (const Transfer& t : c.transfers) most = std::max(most, ++of[t.from]);
    return most;
}

std::vector<LinkCase> link_cases(const Fabric& fabric, Bytes usual, bool quick) {
    std::vector<LinkCase> cases;
    if (fabric.ranks() < 2) return cases;
    const double u = std::max(usual.as_double(), 1024.0);
    std::vector<double> sizes = {1};
    for (const double size : geometric(4 * u, 256, quick ? 1 / 8.0 : 1 / 4.0)) sizes.push_back(size);
    std::sort(sizes.begin(), sizes.end());
    for (const auto& [from, to] : kinds_of_pairs(fabric))
        for (const double size : sizes) {
            const Bytes bytes(static_cast<std::int64_t>(size));
            const char* where = fabric.crosses_nodes(from, to) ? "across nodes" : "within a node";
            cases.push_back(
                {fmt::format("{}, {} links, {} B", where, fabric.route(from, to).links().size(), bytes.value()),
                 {{from, to, bytes}, {to, from, bytes}},
                 true});
        }
    for (const bool across : {false, true})
        if (LinkCase c = single_bytes(fabric, across); messages_of_one(c) > 1) cases.push_back(std::move(c));
    for (const double size : geometric(u / 16, 4 * u, quick ? 5.6 : 2.8))
        cases.push_back(all_pairs(fabric, fmt::format("all pairs, {:.0f} B", size),
                                  [&](std::size_t, std::size_t) { return size; }));
    const std::size_t hot = fabric.ranks() / 2;
    cases.push_back(all_pairs(fabric, "all pairs, one hot receiver",
                              [&](std::size_t, std::size_t to) { return to == hot ? 4 * u : u; }));
    cases.push_back(all_pairs(fabric, "all pairs, one hot sender",
                              [&](std::size_t from, std::size_t) { return from == hot ? 4 * u : u; }));
    RandomStream random(stream_key(1, skew_purpose), 0);
    const auto n = static_cast<double>(fabric.ranks());
    cases.push_back(all_pairs(fabric, "all pairs, sizes at random", [&](std::size_t, std::size_t) {
        return u * n / (2 * (1 + static_cast<double>(random.below(static_cast<std::uint32_t>(n)))));
    }));
    return cases;
}

}  // namespace moesim
