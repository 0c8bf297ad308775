#pragma once
// Quantities as a person reads them: four significant digits and the unit that fits.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/units.hpp"

namespace moesim {

std::string human(Seconds s);                                // "12.34 ms"
std::string human(Bytes b);                                  // "10.49 GB" (1 GB is 1e9 bytes)
std::string human_count(double count);                       // "1.280 M"
std::string human_share(double share);                       // "12.3%"
std::string counted(std::int64_t n, std::string_view what);  // "1 GPU", "8 GPUs"

}  // namespace moesim
