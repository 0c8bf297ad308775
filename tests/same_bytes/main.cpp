// moesim_document SCENARIO: prints the result document as `moesim run --json` does. In sanitized builds, where the
// whole program would take long to compile.
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>

#include "config/scenario_json.hpp"
#include "engine/simulate.hpp"
#include "result/metrics.hpp"
#include "result/result_json.hpp"
#include "study/resolve.hpp"

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    try {
        const moesim::Plan plan = moesim::resolve(moesim::load_scenario(argv[1]), argv[1]);
        const moesim::Result result = moesim::simulate(plan);
        const std::string text = moesim::to_json(result, moesim::measure(result)).dump(1) + "\n";
        return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
