#include "config/kernel_profile.hpp"

#include <algorithm>
#include <cmath>

#include "config/sourced_json.hpp"

namespace moesim {
namespace {

KernelLaw kernel_law(const JsonValue& value) {
    const JsonObject o(value, {"operation", "seconds_per", "cache", "fit"});
    KernelLaw law;
    law.operation = static_cast<KernelOperation>(o["operation"].choice(kernel_operation_names));
    const JsonObject per(o["seconds_per"],
                         {"call", "group", "row", "choice", "byte", "far_byte", "weight_byte", "flop"});
    double sum = 0;
    for (std::size_t q = 0; q < kernel_quantities; ++q)
        if (const JsonValue cost = per[kernel_quantity_names[q]]; cost.present())
            sum += law.seconds_per[q] = cost.quantity(Dimension::time, 0, 1);
    if (sum == 0) per.value().fail("a time above 0 for at least one of what a call has");
    law.cache = Bytes(std::llround(o["cache"].quantity(Dimension::bytes, 1, 1e15)));
    law.fit = parse_fit_record(o["fit"]);
    return law;
}

nlohmann::ordered_json to_json(const KernelLaw& law) {
    nlohmann::ordered_json per;
    for (std::size_t q = 0; q < kernel_quantities; ++q)
        if (law.seconds_per[q] > 0)
            per[kernel_quantity_names[q]] = format_quantity(law.seconds_per[q], Dimension::time);
    return {{"operation", name(law.operation)},
            {"seconds_per", std::move(per)},
            {"cache", format_quantity(law.cache.as_double(), Dimension::bytes)},
            {"fit", to_json(law.fit)}};
}

OverlapProfile overlap_profile(const JsonValue& value) {
    const JsonObject o(value, {"compute", "communication"});
    return {sourced_number(o["compute"], 0.1, 1000), sourced_number(o["communication"], 0.1, 1000)};
}

}  // namespace

const KernelLaw* KernelsProfile::find(KernelOperation operation) const {
    const auto at =
        std::find_if(laws.begin(), laws.end(), [&](const KernelLaw& l) { return l.operation == operation; });
    return at == laws.end() ? nullptr : &*at;
}

KernelsProfile parse_kernels(const JsonValue& value) {
    KernelsProfile k;
    if (!value.present()) return k;
    const JsonObject o(value, {"device", "versions", "date", "clock", "laws", "overlap"});
    k.device = o["device"].line();
    k.versions = o["versions"].line();
    k.date = o["date"].line();
    k.clock = o["clock"].line();
    for (const JsonValue& element : o["laws"].elements(1, kernel_operation_names.size())) {
        KernelLaw law = kernel_law(element);
        if (k.find(law.operation) != nullptr)
            element.member("operation").fail("an operation that no law before it is of");
        k.laws.push_back(std::move(law));
    }
    if (o["overlap"].present()) k.overlap = overlap_profile(o["overlap"]);
    return k;
}

nlohmann::ordered_json to_json(const KernelsProfile& k) {
    auto laws = nlohmann::ordered_json::array();
    for (const KernelLaw& law : k.laws) laws.push_back(to_json(law));
    nlohmann::ordered_json j = {{"device", k.device},
                                {"versions", k.versions},
                                {"date", k.date},
                                {"clock", k.clock},
                                {"laws", std::move(laws)}};
    if (k.overlap)
        j["overlap"] = {{"compute", to_json(k.overlap->compute)}, {"communication", to_json(k.overlap->communication)}};
    return j;
}

}  // namespace moesim
