#pragma once
// How far fits are off on what they did not see, beside the bars that were set for them.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/validate_table.hpp"

namespace moesim {

struct HeldOut {
    std::string machine, what, held_out;  // "h100-sxm", "experts vllm-bf16, balanced", "each model shape in turn"
    ErrorSummary errors;
    std::optional<double> median_bar, p90_bar;  // nothing: no bar was set

    [[nodiscard]] bool met() const {
        return (!median_bar || errors.median <= *median_bar) && (!p90_bar || errors.p90 <= *p90_bar);
    }
};

// Of the tables in the folder, which has them as /measurements: experts by fits made here, each model shape held out in
// turn and skewed loads by fits to even ones only; all-to-alls by the shipped profiles, of the calls that these were
// not fitted to (collective_groups.hpp). Empty where no table is there.
std::vector<HeldOut> held_out_report(const std::filesystem::path& measurements);

std::string text_of(const std::vector<HeldOut>& report);

}  // namespace moesim
