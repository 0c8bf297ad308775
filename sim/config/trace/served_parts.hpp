#pragma once
// Where the routings stand in a response of an inference server.
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "config/json_object.hpp"

namespace moesim {

// Calls take(value, opens_source) for each value under a key of routings that is not null, in the order of the tokens.
// `response` is a response or an array of them. Throws InputError for what is neither.
void for_each_routing(const JsonValue& response, const std::function<void(const JsonValue&, bool)>& take);

}  // namespace moesim
