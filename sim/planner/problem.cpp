#include "planner/problem.hpp"

#include <algorithm>

namespace moesim {

std::size_t Positions::nodes() const { return node.empty() ? 0 : *std::max_element(node.begin(), node.end()) + 1; }

}  // namespace moesim
