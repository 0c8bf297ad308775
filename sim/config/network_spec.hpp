#pragma once
// How a scenario's messages share links, and what goes wrong.
#include <array>
#include <nlohmann/json_fwd.hpp>

#include "config/fault_spec.hpp"
#include "config/profile.hpp"

namespace moesim {

// Who shares out the links: SimGrid's own flow model; ours, which gives the same answers and scales; or a closed form.
enum class NetworkKind : unsigned char { simgrid, fluid, bound };
inline constexpr std::array network_names = {"simgrid", "fluid", "bound"};

struct NetworkSpec {
    NetworkKind model = NetworkKind::fluid;
    // fluid: how far from exact an end may be, in parts of how long the transfer lasts (see fluid::Island); 0: exact.
    double tolerance = 0.005;
    bool jitter = false;  // simgrid, fluid: start-ups of messages vary as the profile has measured
    FaultsSpec faults{};  // fluid: what goes wrong with links
    bool operator==(const NetworkSpec&) const = default;
};

// Throws InputError; `profile` has to have what jitter needs.
NetworkSpec parse_network(const JsonValue& value, const Profile& profile);
nlohmann::ordered_json to_json(const NetworkSpec& network);

}  // namespace moesim
