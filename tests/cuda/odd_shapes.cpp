// Exits with 1 where an operation on the shim does not give what the CPU gives, in any of several orders of threads.
#include "odd_shapes.hpp"

#include <cstdio>

#include "kernels/cpu/backend.hpp"
#include "kernels/cuda/shim_backend.hpp"
#include "kernels/shim/launch.hpp"

using namespace moesim;

int main() {
    odd_shapes::Side both[] = {{kernels::make_cpu_backend({1, 1, 0}), nullptr},
                               {kernels::make_shim_backend(), nullptr}};
    for (odd_shapes::Side& side : both) side.stream = side.backend->make_stream();
    std::string wrong;
    for (const std::uint64_t seed : {0U, 1U}) {
        const shim::Schedule schedule(seed);
        wrong += odd_shapes::rows(both) + odd_shapes::experts(both) + odd_shapes::routing(both);
    }
    if (!wrong.empty()) std::printf("not as on the CPU: %s\n", wrong.c_str());
    return wrong.empty() ? 0 : 1;
}
