#pragma once
#include <optional>
#include <string>

namespace moesim {

// moesim calibrate --backend: what this machine takes for the work of a scenario.
struct MeasureCommand {
    std::string backend;
    std::optional<std::string> scenario, samples, base, name;
    std::string out, date;
    bool quick = false;
};

// Measures, fits, writes the profile (and the samples), and says so on stdout. Throws InputError; an Error of
// ExitCode::machine_lacks where the backend is not there.
void measure_machine(const MeasureCommand& command);

}  // namespace moesim
