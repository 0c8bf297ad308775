#include "base/version.hpp"

namespace moesim {

std::string_view version() { return MOESIM_VERSION; }

}  // namespace moesim
