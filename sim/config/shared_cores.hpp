#pragma once
// Ranks of a CPU backend that compute on the same cores.
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "base/ids.hpp"
#include "config/json_object.hpp"

namespace moesim {

// While n of these ranks compute at once each does so at min(1, cores / n) of its nominal speed (processor sharing:
// Kleinrock, "Time-shared Systems: A Theoretical Treatment", J. ACM 14(2), 1967).
struct SharedCoresSpec {
    std::vector<RankId> ranks;  // rising; at least two
    std::int64_t cores = 1;     // fewer than ranks
    bool operator==(const SharedCoresSpec&) const = default;
};

// Of `ranks` ranks. Throws InputError, also for a rank that is named twice. Absent: none.
std::vector<SharedCoresSpec> parse_shared_cores(const JsonValue& value, std::int64_t ranks);
nlohmann::ordered_json to_json(const std::vector<SharedCoresSpec>& all);

}  // namespace moesim
