#pragma once
// What the programs of NVIDIA/nccl-tests print, and what they write with -J (src/common.cu, src/util.cu). Times are
// those of the out-of-place call where there is one, else of the in-place call. Both throw InputError with line, or
// JSON path.
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/tables/measured_row.hpp"

namespace moesim {

// Lines of numbers under "# size count type redop root time algbw busbw #wrong ..."; "# Rank ..." lines are counted for
// the GPUs and name the device, and the name of a program ("alltoall_perf") somewhere in the text tells what ran.
std::vector<MeasuredRow> read_nccl_tests_text(std::string_view text, const std::string& file);
// "args" (whose first names the program), "nccl_version", "config"."devices" or "devices", "results".
std::vector<MeasuredRow> read_nccl_tests_json(std::string_view text, const std::string& file);

}  // namespace moesim
