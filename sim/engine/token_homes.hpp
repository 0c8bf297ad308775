#pragma once
// Where tokens are that stay with their experts instead of going back to where they came from.
#include <cstdint>
#include <span>
#include <vector>

#include "traffic/exchange.hpp"
#include "traffic/grid.hpp"
#include "workload/routing.hpp"

namespace moesim {

// The tokens of one micro-batch under context-coherent expert parallelism (Yao et al., "ExFlow", arXiv 2401.08383): a
// token's home in the next layer is the rank of its best expert in this one. Results of its other experts come there.
class TokenHomes {
  public:
    // Every token at its source.  tokens: [data]
    TokenHomes(const RankGrid& grid, std::span<const std::int64_t> tokens);

    // Tokens whose home is a data index now.
    [[nodiscard]] std::int64_t tokens(std::size_t data) const { return static_cast<std::int64_t>(held_[data].size()); }

    // One layer in `chunks` parts: what each part dispatches from the present homes, and what of it comes to the new
    // ones, counted as if sent from there. Tokens without an expert stay. Afterwards the new homes are the present
    // ones. sent: [data]: the experts of the tokens of a source. `chooser` is of the layer, and new: it says which copy
    // of an expert a token goes to from where it is.
    struct Parts {
        std::vector<Exchange> out, back;  // [chunk]
    };
    Parts move(std::span<const Routing> sent, std::int64_t chunks, CopyChooser& chooser, Dedup dedup,
               const Fabric& fabric);

  private:
    struct Token {
        std::uint32_t source = 0, index = 0;
    };
    const RankGrid& grid_;
    std::vector<std::vector<Token>> held_;  // [data]: in the order of their arrival
};

}  // namespace moesim
