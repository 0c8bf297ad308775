#pragma once
// Quantities as text with a unit: "400Gbit/s", "50GB/s", "4MiB", "2us". GB is 1e9 bytes, GiB is 2^30.
#include <optional>
#include <string>
#include <string_view>

namespace moesim {

enum class Dimension { time, bytes, bandwidth, flop_rate };

// The quantity in SI base units (s, B, B/s, FLOP/s), or nothing where the text is not a finite decimal number that is
// followed by a unit of that dimension; white space between the two is allowed.
std::optional<double> parse_quantity(std::string_view text, Dimension dimension);

// The shortest text in base units that parse_quantity reads back to the same double.
std::string format_quantity(double value, Dimension dimension);

// The same for a message, in the largest unit of which there is at least one: "1000TB/s".
std::string readable_quantity(double value, Dimension dimension);

// An example for messages: "2us".
std::string_view example_of(Dimension dimension);

// What a message calls the dimension: "a time".
std::string_view noun_of(Dimension dimension);

}  // namespace moesim
