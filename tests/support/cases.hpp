#pragma once
#include <cstdint>

namespace moesim::test {

// Of how many random cases a property is tried: of all, but of a third in the build that is fuzzed, where each takes
// ten times as long. What differs there is what the compiler checks, and that any case shows.
constexpr std::uint64_t cases(std::uint64_t all) {
#ifdef MOESIM_SANITIZED
    return (all + 2) / 3;
#else
    return all;
#endif
}

}  // namespace moesim::test
