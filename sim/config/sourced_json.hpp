#pragma once
// {"value": ..., "source": "..."} and back. The readers throw InputError.
#include <cstdint>

#include "base/units.hpp"
#include "config/json_object.hpp"
#include "config/sourced.hpp"

namespace moesim {

Sourced<double> sourced_number(const JsonValue& value, double low, double high);  // both included
Sourced<double> sourced_ratio(const JsonValue& value);                            // 0.001 to 1
Sourced<std::int64_t> sourced_count(const JsonValue& value);                      // 1 to 100,000
Sourced<Seconds> sourced_time(const JsonValue& value);                            // 0 to 1 s
Sourced<Bytes> sourced_size(const JsonValue& value, double low);                  // low to 1 PB
Sourced<BytesPerSecond> sourced_bandwidth(const JsonValue& value);                // 1 MB/s to 1 PB/s
Sourced<FlopsPerSecond> sourced_flop_rate(const JsonValue& value);

nlohmann::ordered_json to_json(const Sourced<double>& figure);
nlohmann::ordered_json to_json(const Sourced<std::int64_t>& figure);
nlohmann::ordered_json to_json(const Sourced<Seconds>& figure);
nlohmann::ordered_json to_json(const Sourced<Bytes>& figure);
nlohmann::ordered_json to_json(const Sourced<BytesPerSecond>& figure);
nlohmann::ordered_json to_json(const Sourced<FlopsPerSecond>& figure);

}  // namespace moesim
