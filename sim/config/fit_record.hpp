#pragma once
// What a profile keeps of the fit of a law to timed calls.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace moesim {

struct JsonValue;

// What is known of a fit. Errors are |predicted / measured - 1|, of rows that a fit did not see, which held out whole
// model shapes one after the other.
struct FitRecord {
    std::string measured_on;    // device, driver, versions, as the tables have them
    std::string date;           // of the fit: "2026-11-23"
    std::int64_t rows = 0;      // fitted to
    std::int64_t held_out = 0;  // rows in the errors below
    double spread = 0;          // median of the relative deviation of repeated readings of one call; 0: none repeated
    double median = 0, p90 = 0, worst = 0;
    std::vector<double> residuals;  // quantiles 0, 1/n, .., 1 of measured / predicted of all fitted rows
    bool operator==(const FitRecord&) const = default;
};

// Throws InputError.
FitRecord parse_fit_record(const JsonValue& value);
nlohmann::ordered_json to_json(const FitRecord& record);

}  // namespace moesim
