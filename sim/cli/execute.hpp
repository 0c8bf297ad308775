#pragma once
#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "calibrate/execute/agreement.hpp"
#include "calibrate/execute/execute.hpp"
#include "calibrate/execute/run_document.hpp"
#include "calibrate/mpi/session.hpp"

namespace moesim {

struct ExecuteCommand {
    std::string scenario, backend = "cpu";
    ExecuteOptions execute;
    bool check = false;  // against what one process computes on the CPU
};

// What rank 0 has of it.
struct Executed {
    Execution execution;  // the result has the median run's times
    MeasuredRun run;
    std::optional<std::uint64_t> expected;  // the checksum that one process computes, if checked on the CPU
    std::optional<Agreement> agreement;     // with what one process computes on the CPU, if checked on GPUs
};

// All ranks of the session run the scenario. Nothing elsewhere than on rank 0. Throws InputError and MachineLacks on
// all ranks alike, with the reason on rank 0 only; a rank that fails by itself ends all of them.
std::optional<Executed> execute_scenario(const ExecuteCommand& command, MpiSession& session);

// Throws CheckFailed where the check found another checksum, or tokens beyond the tolerance.
void require_reference(const ExecuteCommand& command, const Executed& done);

// moesim execute SCENARIO [-o FILE] [--trace FILE] [--check] [--json]; `rank`: what it does unless asked otherwise.
void add_execute_command(CLI::App& app, const RankOptions& rank = {});

}  // namespace moesim
