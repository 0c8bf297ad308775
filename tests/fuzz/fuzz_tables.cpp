// Tables of timed calls: refused with an InputError, or taken; what is taken has times above 0 and is predicted, or
// skipped with a reason.
#include <cstdlib>

#include "base/error.hpp"
#include "calibrate/base_profile.hpp"
#include "calibrate/tables/read_table.hpp"
#include "calibrate/validate_table.hpp"
#include "round_trip.hpp"

using namespace moesim;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Profile profile = base_profile("H100");
    MeasuredTable table;
    try {
        table = parse_table(fuzz::view(data, size), "input");
    } catch (const InputError&) {
        return 0;
    }
    // Loads of many experts and calls of many GPUs take long, and no new path.
    if (table.rows.size() > 20) table.rows.resize(20);
    for (const MeasuredRow& row : table.rows) {
        if (!(row.measured.value() > 0)) std::abort();
        if (const auto* e = std::get_if<ExpertRow>(&row.call); e != nullptr && e->experts > 1024) return 0;
        if (const auto* d = std::get_if<DeepEpRow>(&row.call); d != nullptr && d->call.ranks() > 64) return 0;
        if (const auto* g = std::get_if<GroupedGemmRow>(&row.call); g != nullptr && g->groups > 4096) return 0;
        const Prediction p = predict(profile, row);
        if (p.time.has_value() == !p.reason.empty()) std::abort();
        if (p.time && !(p.time->value() >= 0)) std::abort();
    }
    return 0;
}
