#include "calibrate/testbed/document.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "calibrate/testbed/launch.hpp"
#include "config/quantity.hpp"

namespace moesim::testbed {
namespace {

using Json = nlohmann::ordered_json;

Json hosts_of(const Plan& plan, const Fabric& fabric) {
    Json all = Json::array();
    for (std::size_t r = 0; r < plan.hosts.size(); ++r) {
        const Host& h = plan.hosts[r];
        Json host = {{"rank", r},
                     {"name", h.name},
                     {"node", fabric.node_of(RankId(r)).value()},
                     {"namespace", h.name_space},
                     {"address", h.address}};
        host["cpus"] = h.cpus ? Json(*h.cpus) : Json();
        all.push_back(std::move(host));
    }
    return all;
}

Json links_of(const Plan& plan) {
    Json all = Json::array();
    for (const Port& p : plan.ports)
        all.push_back({{"name", p.name},
                       {"namespace", p.name_space},
                       {"device", p.device},
                       {"bytes_per_s", p.rate.value()},
                       {"wire_bits_per_s", p.wire_bits_per_s},
                       {"burst_bytes", p.burst_bytes},
                       {"queue_bytes", p.queue_bytes}});
    return all;
}

std::string links_line(const Json& document) {
    std::map<double, std::size_t, std::greater<>> by_rate;
    for (const Json& l : document["links"]) ++by_rate[l["bytes_per_s"].get<double>()];
    std::string text;
    for (const auto& [rate, count] : by_rate)
        text += fmt::format("{}{} of {:.4g} Mbit/s", text.empty() ? "" : ", ", count, rate * 8e-6);
    return text;
}

}  // namespace

Json to_json(const Plan& plan, const Fabric& fabric, const TopologySpec& topology, const std::string& folder,
             const std::optional<CpuCost>& cost) {
    const Settings& s = plan.settings;
    Json j = {{"schema", "moesim.testbed/1"},
              {"name", plan.name},
              {"folder", folder},
              {"topology", moesim::to_json(topology)},
              {"settings",
               {{"congestion_control", s.congestion_control},
                {"queue_s", s.queue.value()},
                {"eager_bytes", s.eager.value()},
                {"buffer_bytes", s.buffer.value()},
                {"mtu_bytes", s.mtu},
                {"window_s", s.window.value()}}},
              {"hosts", hosts_of(plan, fabric)},
              {"links", links_of(plan)}};
    if (cost)
        j["cpu"] = {{"cores", cost->cores},         {"needed_cores", cost->needed()}, {"measured_s", cost->seconds},
                    {"arrived_bytes", cost->bytes}, {"link_bytes", cost->link_bytes}, {"cpu_s", cost->cpu_seconds}};
    j["control_namespace"] = plan.control;
    j["mpirun"] = mpirun_arguments(plan, folder);
    return j;
}

std::string table(const Json& document) {
    const Json& j = document;
    std::string text = fmt::format("{}: {}, {} hosts in network namespaces\n\n", j["name"].get<std::string>(),
                                   j["topology"]["name"].get<std::string>(), j["hosts"].size());
    text += fmt::format("links        {}\n", links_line(j));
    const Json& settings = j["settings"];
    text += fmt::format(
        "TCP          {},{} queues of {} ms, MTU {}\n", settings["congestion_control"].get<std::string>(),
        settings.contains("window_s") ? fmt::format(" windows of {} ms,", 1e3 * settings["window_s"].get<double>())
                                      : std::string(),
        1e3 * settings["queue_s"].get<double>(), settings["mtu_bytes"].get<int>());
    if (j.contains("cpu"))
        text += fmt::format(
            "CPU          all links full, both ways, need {:.2f} of {:.0f} cores; measured over {:.1f} s, {:.0f} MB\n",
            j["cpu"]["needed_cores"].get<double>(), j["cpu"]["cores"].get<double>(),
            j["cpu"]["measured_s"].get<double>(), j["cpu"]["arrived_bytes"].get<double>() * 1e-6);
    text += fmt::format("folder       {}\n\n", j["folder"].get<std::string>());
    text += "rank  host      node  address       namespace                       cores\n";
    for (const Json& h : j["hosts"])
        text +=
            fmt::format("{:>4}  {:<8}  {:>4}  {:<12}  {:<30}  {}\n", h["rank"].get<int>(), h["name"].get<std::string>(),
                        h["node"].get<int>(), h["address"].get<std::string>(), h["namespace"].get<std::string>(),
                        h["cpus"].is_null() ? "any" : fmt::format("{:.3g}", h["cpus"].get<double>()));
    return text;
}

}  // namespace moesim::testbed
