#include "config/fit_record.hpp"

#include "config/json_object.hpp"

namespace moesim {
namespace {

constexpr double most_error = 1e6;

std::vector<double> quantiles_of_residuals(const JsonValue& value) {
    std::vector<double> q;
    for (const JsonValue& v : value.elements(2, 101)) {
        q.push_back(v.number(1e-6, most_error));
        if (q.size() > 1 && q.back() < q[q.size() - 2]) v.fail("quantiles that do not fall: at least the one before");
    }
    return q;
}

}  // namespace

FitRecord parse_fit_record(const JsonValue& value) {
    const JsonObject o(value,
                       {"measured_on", "date", "rows", "held_out", "spread", "median", "p90", "worst", "residuals"});
    FitRecord f;
    f.measured_on = o["measured_on"].line(500);
    f.date = o["date"].line();
    f.rows = o["rows"].integer(1, 1'000'000'000);
    f.held_out = o["held_out"].integer(0, 1'000'000'000);
    f.spread = o["spread"].number(0, most_error);
    f.median = o["median"].number(0, most_error);
    f.p90 = o["p90"].number(f.median, most_error);
    f.worst = o["worst"].number(f.p90, most_error);
    f.residuals = quantiles_of_residuals(o["residuals"]);
    return f;
}

nlohmann::ordered_json to_json(const FitRecord& f) {
    return {{"measured_on", f.measured_on}, {"date", f.date},     {"rows", f.rows}, {"held_out", f.held_out},
            {"spread", f.spread},           {"median", f.median}, {"p90", f.p90},   {"worst", f.worst},
            {"residuals", f.residuals}};
}

}  // namespace moesim
