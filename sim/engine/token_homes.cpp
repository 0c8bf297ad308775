#include "engine/token_homes.hpp"

#include <algorithm>

#include "base/split.hpp"

namespace moesim {
namespace {

using Choices = std::vector<std::vector<ExpertIndex>>;  // [data][token][width]

Exchange count(const Choices& choices, std::size_t width, LayerId layer, Dedup dedup, const Placement& placement,
               const RankGrid& grid, const Fabric& fabric) {
    std::vector<SourceChoices> sources;
    for (std::size_t d = 0; d < choices.size(); ++d) sources.push_back({d, choices[d], width});
    return count_exchange(sources, layer, dedup, placement, grid, fabric);
}

}  // namespace

TokenHomes::TokenHomes(const RankGrid& grid, std::span<const std::int64_t> tokens) : grid_(grid), held_(grid.data()) {
    for (std::size_t d = 0; d < held_.size(); ++d)
        for (std::int64_t t = 0; t < tokens[d]; ++t)
            held_[d].push_back({static_cast<std::uint32_t>(d), static_cast<std::uint32_t>(t)});
}

TokenHomes::Parts TokenHomes::move(std::span<const Routing> sent, std::int64_t chunks, LayerId layer, Dedup dedup,
                                   const Placement& placement, const Fabric& fabric) {
    std::size_t width = 1;
    for (const Routing& r : sent) width = std::max(width, r.width);
    std::vector<std::vector<Token>> next(held_.size());
    Parts parts;
    for (std::int64_t c = 0; c < chunks; ++c) {
        Choices from(held_.size()), to(held_.size());
        for (std::size_t here = 0; here < held_.size(); ++here) {
            const Range part = part_of({0, tokens(here)}, chunks, c);
            for (std::int64_t i = part.begin; i < part.end; ++i) {
                const Token token = held_[here][static_cast<std::size_t>(i)];
                std::vector<ExpertIndex> experts(width, no_expert);
                const auto chosen = sent[token.source].token(token.index);
                std::copy(chosen.begin(), chosen.end(), experts.begin());
                const auto best = std::find_if(experts.begin(), experts.end(), [](auto e) { return e != no_expert; });
                const std::size_t home =
                    best == experts.end() ? here : grid_.group_begin(here) + placement.position(layer, *best);
                from[here].insert(from[here].end(), experts.begin(), experts.end());
                to[home].insert(to[home].end(), experts.begin(), experts.end());
                next[home].push_back(token);
            }
        }
        parts.out.push_back(count(from, width, layer, dedup, placement, grid_, fabric));
        parts.back.push_back(count(to, width, layer, dedup, placement, grid_, fabric));
    }
    held_ = std::move(next);
    return parts;
}

}  // namespace moesim
