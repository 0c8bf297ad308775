#include "support/simulation.hpp"

#include <stdexcept>

#include "result/result_json.hpp"
#include "study/resolve.hpp"
#include "support/in_child.hpp"

namespace moesim::test {

nlohmann::json simulate_and(const Scenario& scenario,
                            const std::function<nlohmann::json(const Result&, const Metrics&)>& look) {
    return in_child([&] {
        const Result result = simulate(resolve(scenario, "test"));
        return look(result, measure(result));
    });
}

nlohmann::json simulate_document(const Scenario& scenario) {
    return simulate_and(scenario, [](const Result& r, const Metrics& m) { return nlohmann::json(to_json(r, m)); });
}

double stage_value(const nlohmann::json& document, std::string_view stage, const char* key) {
    for (const auto& s : document["stages"])
        if (s["stage"] == stage) return s[key].get<double>();
    throw std::runtime_error("no such stage");
}

}  // namespace moesim::test
