#include "config/scenario_library.hpp"

#include <fmt/format.h>

namespace moesim {
namespace {

// The part of the profile that is missing, and why it is needed; an empty name where nothing is.
struct Missing {
    std::string part, why;
};

template <class Phase>
Missing missing_of(const std::optional<BothWays<Phase>>& both, const std::string& part, const std::string& why,
                   bool across) {
    if (!both) return {part, why};
    if (!across || (both->dispatch.nodes && both->combine.nodes)) return {};
    return {part + (both->dispatch.nodes ? ".combine.nodes" : ".dispatch.nodes"), "expert groups span nodes"};
}

Missing missing_part(const Scenario& s) {
    const CollectivesProfile& c = s.profile.collectives;
    const bool across = groups_span_nodes(s);
    if (s.dispatch.library == Library::nccl) {
        if (c.nccl) return {};
        return {"nccl", "the library is \"nccl\""};
    }
    if (s.dispatch.deepep_normal())
        return missing_of(c.deepep_normal, "deepep_normal", "the library is \"deepep\"", across);
    return missing_of(c.deepep_low_latency, "deepep_low_latency",
                      "the library is \"deepep\" and the algorithm \"low_latency\"", across);
}

}  // namespace

bool groups_span_nodes(const Scenario& s) {
    const std::int64_t group = s.parallelism.expert * s.parallelism.tensor;
    const auto node_of = [&](std::int64_t rank) {
        if (s.topology.kind == TopologyKind::links) return s.topology.list.node_of_gpu[static_cast<std::size_t>(rank)];
        return rank / s.topology.gpus_per_node;
    };
    for (std::int64_t first = 0; first < s.parallelism.ranks(); first += group)
        if (node_of(first) != node_of(first + group - 1)) return true;
    return false;
}

void check_library(const JsonObject& o, const Scenario& s) {
    if (s.dispatch.library == Library::none) return;
    const std::string library(library_names[static_cast<std::size_t>(s.dispatch.library) - 1]);
    const Missing missing = missing_part(s);
    if (!missing.part.empty())
        o["profile"].fail_with(fmt::format("profile \"{}\" without collectives.{}", s.profile.name, missing.part),
                               "one with it, since " + missing.why);
    const JsonObject dispatch(o["dispatch"],
                              {"dtype", "return_dtype", "dedup", "algorithm", "window", "library", "multiprocessors"});
    if (s.dispatch.deepep_normal() && s.dispatch.dedup == Dedup::rank && groups_span_nodes(s))
        dispatch["dedup"].fail_with("\"rank\"",
                                    "\"node\", since the library \"deepep\" sends one copy to a node and "
                                    "expert groups span nodes");
    if (s.dispatch.deepep_normal() && s.dispatch.multiprocessors > s.profile.multiprocessors.value)
        dispatch["multiprocessors"].fail_with(
            fmt::format("{}", s.dispatch.multiprocessors),
            fmt::format("at most {}, those of profile \"{}\"", s.profile.multiprocessors.value, s.profile.name));
    if (s.network.model == NetworkKind::simgrid)
        o["network"].fail_with("the model \"simgrid\"",
                               fmt::format("\"fluid\" or \"bound\", since messages of the library \"{}\" take other "
                                           "links than others, and \"simgrid\" has one route for each pair of GPUs",
                                           library));
    if (!s.network.faults.links.empty())
        JsonObject(o["network"], {"model", "tolerance", "jitter", "faults"})["faults"].fail(fmt::format(
            "nothing, since what calls of the library \"{}\" take around a failed link is not known", library));
}

}  // namespace moesim
