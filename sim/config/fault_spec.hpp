#pragma once
// What goes wrong with links, and what becomes of transfers over a link that has failed.
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "config/json_object.hpp"

namespace moesim {

// From one moment to another a link has a part of its capacity; or it flaps: at the start of every period, for a
// while. Several at once multiply.
struct LinkFault {
    std::string link;     // its name; or what comes before ".up" and ".down" in those of its two directions
    double capacity = 0;  // the part that is left, [0, 1]
    Seconds from;
    std::optional<Seconds> until;  // nothing: to the end
    struct Flapping {
        Seconds period, lasts;  // lasts < period
        bool operator==(const Flapping&) const = default;
    };
    std::optional<Flapping> flapping;
    bool operator==(const LinkFault&) const = default;
};

struct FaultsSpec {
    std::vector<LinkFault> links;
    // Where a link has failed (capacity 0) for this long, transfers go another way, if there is one; nothing: they
    // wait.
    std::optional<Seconds> reroute_after;
    // A transfer that stands still for this long ends the run.
    Seconds time_out{10};
    bool operator==(const FaultsSpec&) const = default;
};

// Throws InputError.
FaultsSpec parse_faults(const JsonValue& value);
nlohmann::ordered_json to_json(const FaultsSpec& faults);

}  // namespace moesim
