#pragma once
// Quantities as a person reads them: four significant digits and the unit that fits.
#include <string>

#include "base/units.hpp"

namespace moesim {

std::string human(Seconds s);           // "12.34 ms"
std::string human(Bytes b);             // "10.49 GB" (1 GB is 1e9 bytes)
std::string human_count(double count);  // "1.280 M"
std::string human_share(double share);  // "12.3%"

}  // namespace moesim
