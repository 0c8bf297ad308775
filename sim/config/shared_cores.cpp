#include "config/shared_cores.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace moesim {
namespace {

std::vector<RankId> parse_ranks(const JsonValue& value, std::int64_t ranks, std::set<std::int64_t>& taken) {
    std::vector<RankId> all;
    const auto take = [&](const JsonValue& where, std::int64_t rank) {
        if (!taken.insert(rank).second)
            where.fail_with(fmt::format("rank {} a second time", rank), "each rank once at most");
        all.emplace_back(static_cast<std::size_t>(rank));
    };
    if (value.present() && value.json->is_string()) {
        if (*value.json != "all") value.fail("\"all\" or an array of ranks");
        for (std::int64_t r = 0; r < ranks; ++r) take(value, r);
    } else {
        for (const JsonValue& rank : value.elements(2, 65536)) take(rank, rank.integer(0, ranks - 1, "the ranks"));
    }
    std::sort(all.begin(), all.end());
    return all;
}

}  // namespace

std::vector<SharedCoresSpec> parse_shared_cores(const JsonValue& value, std::int64_t ranks) {
    std::vector<SharedCoresSpec> all;
    if (!value.present()) return all;
    std::set<std::int64_t> taken;
    for (const JsonValue& element : value.elements(0, 65536)) {
        const JsonObject o(element, {"ranks", "cores"});
        SharedCoresSpec s;
        s.ranks = parse_ranks(o["ranks"], ranks, taken);
        if (s.ranks.size() < 2) o["ranks"].fail("at least two ranks");
        s.cores = o["cores"].integer(1, static_cast<std::int64_t>(s.ranks.size()) - 1, "fewer than ranks");
        all.push_back(std::move(s));
    }
    return all;
}

nlohmann::ordered_json to_json(const std::vector<SharedCoresSpec>& all) {
    auto j = nlohmann::ordered_json::array();
    for (const SharedCoresSpec& s : all) {
        auto ranks = nlohmann::ordered_json::array();
        for (const RankId rank : s.ranks) ranks.push_back(rank.value());
        j.push_back({{"ranks", std::move(ranks)}, {"cores", s.cores}});
    }
    return j;
}

}  // namespace moesim
