#include "config/network_spec.hpp"

namespace moesim {

NetworkSpec parse_network(const JsonValue& value, const Profile& profile) {
    const JsonObject o(value, {"model", "tolerance", "jitter", "faults"});
    NetworkSpec n;
    n.model = static_cast<NetworkKind>(o["model"].choice({"simgrid", "fluid", "bound"}));
    for (const char* key : {"tolerance", "faults"})
        if (o[key].present() && n.model != NetworkKind::fluid)
            o[key].fail("nothing, since only the model \"fluid\" has that");
    if (o["tolerance"].present()) n.tolerance = o["tolerance"].number(0, 0.1);
    if (o["jitter"].present()) n.jitter = o["jitter"].boolean();
    if (n.jitter && n.model == NetworkKind::bound) o["jitter"].fail("false, since \"bound\" bounds runs without it");
    if (n.jitter && !profile.nvlink.jitter && !profile.nic.jitter)
        o["jitter"].fail("false, since profile \"" + profile.name +
                         "\" has measured none (links.nvlink.jitter, links.nic.jitter)");
    if (o["faults"].present()) n.faults = parse_faults(o["faults"]);
    return n;
}

nlohmann::ordered_json to_json(const NetworkSpec& network) {
    nlohmann::ordered_json j = {{"model", network_names[static_cast<std::size_t>(network.model)]}};
    if (network.model == NetworkKind::fluid) j["tolerance"] = network.tolerance;
    if (network.jitter) j["jitter"] = true;
    if (!network.faults.links.empty()) j["faults"] = to_json(network.faults);
    return j;
}

}  // namespace moesim
