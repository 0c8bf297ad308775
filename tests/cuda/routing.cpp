#include "odd_shapes.hpp"

namespace moesim::odd_shapes {

std::string routing(const Side (&)[2]) { return {}; }

}  // namespace moesim::odd_shapes
