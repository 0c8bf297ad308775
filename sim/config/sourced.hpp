#pragma once
// A figure and where it comes from.
#include <string>

namespace moesim {

template <class T>
struct Sourced {
    T value{};
    std::string source;
    bool operator==(const Sourced&) const = default;
};

}  // namespace moesim
