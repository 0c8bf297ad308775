// consumer SCENARIO: simulates it and prints the makespan.
#include <config/scenario_json.hpp>
#include <cstdio>
#include <engine/simulate.hpp>
#include <exception>
#include <result/metrics.hpp>
#include <study/resolve.hpp>

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    try {
        const moesim::Plan plan = moesim::resolve(moesim::load_scenario(argv[1]), argv[1]);
        const moesim::Metrics metrics = moesim::measure(moesim::simulate(plan));
        std::printf("makespan %.9g s\n", metrics.makespan.value());
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
