#pragma once
// What tokens may have to choose from.
#include <string>
#include <vector>

#include "kernels/selection.hpp"

namespace moesim::test {

struct SelectionCase {
    std::int64_t tokens = 0, experts = 0;
    kernels::Selection selection;  // without the bias, which is in the host's memory
    std::vector<float> bias;
    std::vector<float> logits;  // [token][expert]
    bool special = false;       // with ties, NaN or infinities

    [[nodiscard]] std::string text() const;
};

// All rules, tokens and experts from few to many, and random ones.
std::vector<SelectionCase> selection_cases();

}  // namespace moesim::test
