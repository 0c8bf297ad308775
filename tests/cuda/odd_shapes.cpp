// Exits with 1 where an operation on the shim does not give what the CPU gives, in any of several orders of threads.
#include "odd_shapes.hpp"

#include <cstdio>

#include "kernels/cpu/backend.hpp"
#include "kernels/cuda/shim_backend.hpp"
#include "kernels/shim/launch.hpp"
#include "kernels/shim/sanitizers.hpp"

using namespace moesim;

int main() {
    odd_shapes::Side both[] = {{kernels::make_cpu_backend({1, 1, 0}), nullptr},
                               {kernels::make_shim_backend(), nullptr}};
    for (odd_shapes::Side& side : both) side.stream = side.backend->make_stream();
    std::string wrong;
    // Races are found in any order of threads, and slowly: one is enough.
    const std::vector<std::uint64_t> seeds =
        shim::thread_sanitizer() ? std::vector<std::uint64_t>{1} : std::vector<std::uint64_t>{0, 1, 2};
    for (const std::uint64_t seed : seeds) {
        const shim::Schedule schedule(seed);
        wrong += odd_shapes::rows(both) + odd_shapes::experts(both) + odd_shapes::routing(both);
    }
    if (!wrong.empty()) std::printf("not as on the CPU: %s\n", wrong.c_str());
    return wrong.empty() ? 0 : 1;
}
