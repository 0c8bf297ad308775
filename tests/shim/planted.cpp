// Runs one planted fault, by name, so that the sanitizer that this program is built with can find it; `correct` runs
// what has none. Exits with 0 where nothing is found, and with 1 where a sample gives a wrong answer.
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernels/shim/launch.hpp"
#include "planted.cuh"
#include "samples.hpp"

namespace {

using namespace moesim::planted;
using moesim::shim::launch;

// Heap memory of just this size, as what lies beyond is to be found.
std::vector<float> from(64, 1.0F), to(64);
std::vector<int> numbers(64);

bool correct() {
    std::string wrong;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const moesim::shim::Schedule schedule(seed);
        wrong += moesim::samples::run_all(64);
        launch<reverse<true>>({.block = 64, .shared_bytes = 256}, from.data(), to.data());
        launch<exchange_in_warp<true>>({.block = 32}, from.data(), to.data());
        launch<write_static>({.block = 32}, 6U, numbers.data());
        launch<write_dynamic>({.grid = 3, .block = 32, .shared_bytes = 100}, 100U);
        launch<count_with_atomic>({.grid = 3, .block = 32}, numbers.data());
    }
    if (!wrong.empty()) std::printf("wrong: %s\n", wrong.c_str());
    return wrong.empty();
}

const std::map<std::string, std::function<void()>> faults = {
    {"missing_barrier", [] { launch<reverse<false>>({.block = 64, .shared_bytes = 256}, from.data(), to.data()); }},
    {"missing_second_barrier",
     [] { launch<shift_without_second_barrier>({.block = 64, .shared_bytes = 256}, from.data(), to.data()); }},
    {"missing_syncwarp", [] { launch<exchange_in_warp<false>>({.block = 32}, from.data(), to.data()); }},
    {"missing_atomic", [] { launch<count_without_atomic>({.block = 32}, numbers.data()); }},
    {"missing_atomic_between_blocks",
     [] { launch<count_blocks_without_atomic>({.grid = 2, .block = 32}, numbers.data()); }},
    {"global_read", [] { launch<read_beyond>({.block = 64}, from.data(), 64, to.data()); }},
    {"global_write", [] { launch<write_beyond>({.block = 65}, from.data(), 64, to.data()); }},
    {"shared_static_write", [] { launch<write_static>({.block = 32}, 7U, numbers.data()); }},
    {"shared_dynamic_write", [] { launch<write_dynamic>({.block = 32, .shared_bytes = 99}, 100U); }},
    {"shared_dynamic_read", [] { launch<read_dynamic>({.block = 1, .shared_bytes = 99}, 100U, numbers.data()); }},
};

}  // namespace

int main(int count, char** words) {
    const std::string name = count > 1 ? words[1] : "correct";
    if (name == "correct") return correct() ? 0 : 1;
    const auto fault = faults.find(name);
    if (fault == faults.end()) {
        std::fprintf(stderr, "no fault %s\n", name.c_str());
        return 2;
    }
    fault->second();
    return 0;
}
