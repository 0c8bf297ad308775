#include "engine/jitter.hpp"

#include "base/quantiles.hpp"
#include "base/random.hpp"

namespace moesim {
namespace {

constexpr std::uint64_t jitter_purpose = 0x6a69747465720000;  // of no other stream

}  // namespace

void add_jitter(TaskGraph& graph, const Fabric& fabric, const MessageModel& messages, std::uint64_t seed) {
    for (TaskId id = 0; id < graph.tasks().size(); ++id) {
        const Task& t = graph.tasks()[id];
        if (t.kind != TaskKind::transfer) continue;
        const Route route = fabric.route(t.label.rank, t.peer);
        const LinkProfile& link = messages.profile_of(route);
        if (!link.jitter) continue;
        RandomStream random(stream_key(seed, jitter_purpose), id);
        const double factor = quantile(link.jitter->value, random.uniform());
        graph.set_latency(id, t.before_start_up + (t.latency - t.before_start_up) * factor);
    }
}

}  // namespace moesim
