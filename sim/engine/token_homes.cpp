#include "engine/token_homes.hpp"

#include <algorithm>

#include "base/split.hpp"

namespace moesim {
namespace {

using Copies = std::vector<std::vector<CopyIndex>>;  // [data][token][width]

Exchange count(const Copies& copies, std::size_t width, const LayerCopies& layer, Dedup dedup, const RankGrid& grid,
               const Fabric& fabric) {
    std::vector<SourceCopies> sources;
    for (std::size_t d = 0; d < copies.size(); ++d) sources.push_back({d, copies[d], width});
    return count_exchange(sources, layer, dedup, grid, fabric);
}

}  // namespace

TokenHomes::TokenHomes(const RankGrid& grid, std::span<const std::int64_t> tokens) : grid_(grid), held_(grid.data()) {
    for (std::size_t d = 0; d < held_.size(); ++d)
        for (std::int64_t t = 0; t < tokens[d]; ++t)
            held_[d].push_back({static_cast<std::uint32_t>(d), static_cast<std::uint32_t>(t)});
}

TokenHomes::Parts TokenHomes::move(std::span<const Routing> sent, std::int64_t chunks, CopyChooser& chooser,
                                   Dedup dedup, const Fabric& fabric) {
    std::size_t width = 1;
    for (const Routing& r : sent) width = std::max(width, r.width);
    std::vector<std::vector<Token>> next(held_.size());
    Parts parts;
    for (std::int64_t c = 0; c < chunks; ++c) {
        Copies from(held_.size()), to(held_.size());
        for (std::size_t here = 0; here < held_.size(); ++here) {
            const Range part = part_of({0, tokens(here)}, chunks, c);
            for (std::int64_t i = part.begin; i < part.end; ++i) {
                const Token token = held_[here][static_cast<std::size_t>(i)];
                // Chosen once, from where the token is: its results come from the copies that it went to.
                std::vector<CopyIndex> copies(width, no_copy);
                const auto chosen = sent[token.source].token(token.index);
                for (std::size_t k = 0; k < chosen.size(); ++k)
                    if (chosen[k] != no_expert) copies[k] = chooser.choose(here, chosen[k]);
                const auto best = std::find_if(copies.begin(), copies.end(), [](auto copy) { return copy != no_copy; });
                const std::size_t home =
                    best == copies.end() ? here : grid_.group_begin(here) + chooser.copies().position(*best);
                from[here].insert(from[here].end(), copies.begin(), copies.end());
                to[home].insert(to[home].end(), copies.begin(), copies.end());
                next[home].push_back(token);
            }
        }
        parts.out.push_back(count(from, width, chooser.copies(), dedup, grid_, fabric));
        parts.back.push_back(count(to, width, chooser.copies(), dedup, grid_, fabric));
    }
    held_ = std::move(next);
    return parts;
}

}  // namespace moesim
