#include "workload/routing.hpp"

#include <algorithm>

namespace moesim {

void equal_gates(Routing& routing) {
    routing.gates.assign(routing.experts.size(), 0.0F);
    for (std::size_t t = 0; t < routing.tokens(); ++t) {
        const auto row = routing.token(t);
        const auto chosen = row.size() - static_cast<std::size_t>(std::count(row.begin(), row.end(), no_expert));
        for (std::size_t i = 0; i < row.size(); ++i)
            if (row[i] != no_expert) routing.gates[t * routing.width + i] = 1.0F / static_cast<float>(chosen);
    }
}

}  // namespace moesim
