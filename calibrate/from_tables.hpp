#pragma once
// A profile fitted to tables that others measured.
#include <functional>
#include <string>
#include <vector>

#include "calibrate/tables/measured_row.hpp"
#include "config/profile.hpp"

namespace moesim {

// One fit that was made, or why a kind of rows was left out.
struct FitNote {
    std::string what;  // "collectives.nccl: 8 figures fitted to 63 calls"
    bool left_out = false;
};

struct FromTables {
    Profile profile;
    std::vector<FitNote> notes;
};

// The GPUs that the tables' rows name, sorted: "A100", "H100".
std::vector<std::string> gpus_in(const std::vector<MeasuredTable>& tables);

// `base` with what the tables' rows of its GPU tell: collectives (NCCL's all-to-alls, DeepEP's kernels), from its
// figures on, where it has them; and a kernel for each framework and data type of timed experts, which become those of
// the simulation's expert stage. Rows of a library's older releases are left out where there are newer ones. Experts
// are fitted to even loads, and to skewed ones only where there are no even ones. `date` as 2026-11-23. Throws
// InputError where nothing could be fitted.
FromTables fit_tables(const Profile& base, const std::vector<MeasuredTable>& tables, const std::string& date);

}  // namespace moesim
