#include "config/fault_spec.hpp"

namespace moesim {
namespace {

constexpr double latest = 1e6, shortest_period = 1e-4, shortest_down = 1e-6, least_capacity = 1e-6;

Seconds time_of(const JsonValue& value, double low = 0) {
    return Seconds(value.quantity(Dimension::time, low, latest));
}

LinkFault parse_link(const JsonValue& value) {
    const JsonObject o(value, {"link", "capacity", "from", "until", "period", "lasts"});
    LinkFault f;
    f.link = o["link"].line();
    f.capacity = o["capacity"].number(0, 1);
    if (f.capacity > 0 && f.capacity < least_capacity) o["capacity"].fail("0, or at least 1e-6");
    if (o["from"].present()) f.from = time_of(o["from"]);
    if (o["until"].present()) {
        f.until = time_of(o["until"]);
        if (*f.until <= f.from) o["until"].fail("a time after \"from\"");
    }
    if (o["period"].present() || o["lasts"].present()) {
        f.flapping = {time_of(o["period"], shortest_period), time_of(o["lasts"], shortest_down)};
        if (f.flapping->lasts >= f.flapping->period) o["lasts"].fail("less than \"period\"");
    }
    return f;
}

std::string text(Seconds t) { return format_quantity(t.value(), Dimension::time); }

}  // namespace

FaultsSpec parse_faults(const JsonValue& value) {
    const JsonObject o(value, {"links", "reroute_after", "time_out"});
    FaultsSpec faults;
    for (const JsonValue& element : o["links"].elements(1, 4096)) faults.links.push_back(parse_link(element));
    if (o["reroute_after"].present()) faults.reroute_after = time_of(o["reroute_after"]);
    if (o["time_out"].present()) faults.time_out = Seconds(o["time_out"].quantity(Dimension::time, 1e-6, 3600));
    return faults;
}

nlohmann::ordered_json to_json(const FaultsSpec& faults) {
    nlohmann::ordered_json links = nlohmann::ordered_json::array();
    for (const LinkFault& f : faults.links) {
        nlohmann::ordered_json j = {{"link", f.link}, {"capacity", f.capacity}, {"from", text(f.from)}};
        if (f.until) j["until"] = text(*f.until);
        if (f.flapping) {
            j["period"] = text(f.flapping->period);
            j["lasts"] = text(f.flapping->lasts);
        }
        links.push_back(std::move(j));
    }
    nlohmann::ordered_json j = {{"links", std::move(links)}};
    if (faults.reroute_after) j["reroute_after"] = text(*faults.reroute_after);
    j["time_out"] = text(faults.time_out);
    return j;
}

}  // namespace moesim
