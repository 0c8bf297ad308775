#pragma once
// What a real model's router did, as others recorded it.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/matrix.hpp"

namespace moesim {

// Which experts each token went to in each layer.
struct RoutingTrace {
    std::string origin;  // the file that it was read from
    std::size_t tokens = 0, layers = 0, top_k = 0;
    std::size_t experts = 0;                // one more than the largest id, unless the format states the count
    std::vector<ExpertIndex> choices;       // [token][layer][top_k], best first; no_expert where there is none
    std::vector<std::size_t> source_begin;  // [source]: its first token; a source is a rank, request or sequence. Not
                                            // empty: it starts with 0 and rises; where nothing is known, it is {0}

    [[nodiscard]] std::span<const ExpertIndex> at(std::size_t token, std::size_t layer) const {
        return std::span(choices).subspan((token * layers + layer) * top_k, top_k);
    }
    bool operator==(const RoutingTrace&) const = default;
};

// How often each expert was chosen, without the tokens.
struct LoadTable {
    std::string origin;
    Matrix<double> load;  // [layer][expert], of all steps together
    bool operator==(const LoadTable&) const = default;
};

}  // namespace moesim
