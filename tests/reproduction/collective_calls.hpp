#pragma once
// Timed calls of communication libraries against what the shipped profiles say of them.
#include <string>
#include <vector>

#include "config/profile.hpp"

namespace moesim::test {

struct PredictedCall {
    std::string call;   // "8 GPUs, 1048576 B"
    std::string share;  // what was held out, or not, as a whole: "8 GPUs"
    bool fitted = true, large = false;
    double predicted = 0, measured = 0;  // seconds; the median of the call's readings
    bool contradicted = false;           // a call alike took less than 1 / 1.25 of that: an outlier of the measurement

    [[nodiscard]] double error() const { return predicted / measured - 1; }
};

struct CollectiveGroup {
    std::string name, machine, fitted_to, held_out;
    std::size_t readings = 0;
    std::vector<PredictedCall> calls;

    [[nodiscard]] std::vector<PredictedCall> fitted() const;
    [[nodiscard]] std::vector<PredictedCall> held() const;
    [[nodiscard]] std::vector<PredictedCall> large_held() const;
    [[nodiscard]] std::vector<PredictedCall> uncontradicted_held() const;
};

// Of absolute errors; the mean is of signed ones.
struct Errors {
    double median = 0, p90 = 0, worst = 0, mean = 0;
};
Errors errors_of(const std::vector<PredictedCall>& calls);

// One of topologies/profiles.
Profile shipped_profile(const std::string& name);

// Empty where the tables are absent.
std::vector<CollectiveGroup> reproduce_collectives();

}  // namespace moesim::test
