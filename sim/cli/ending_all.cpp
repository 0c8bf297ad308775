#include "cli/ending_all.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace moesim {

void give_up(MpiSession& session, ExitCode code, const std::string& what) {
    fmt::print(stderr, "moesim: rank {} on {}: {}\n", session.transport().rank().value(), session.host(), what);
    session.abort(static_cast<int>(code));
}

}  // namespace moesim
