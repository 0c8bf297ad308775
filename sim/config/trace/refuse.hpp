#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace moesim {

// Throws the InputError of all readers of traces; `where` is the file, and the place in it where there is one.
[[noreturn]] inline void refuse(std::string_view where, std::string_view found, std::string_view expected) {
    throw InputError(fmt::format("{}: found {}, expected {}", where, found, expected));
}

}  // namespace moesim
