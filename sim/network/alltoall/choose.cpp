#include "network/alltoall/choose.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/random.hpp"
#include "network/alltoall/all_to_all.hpp"
#include "network/busiest_link.hpp"
#include "network/send_gaps.hpp"
#include "workload/purpose.hpp"

namespace moesim {
namespace {

constexpr std::int64_t most_drawn = 256;  // tokens of a source; more only weigh more

// Experts of tokens that choose all alike: top_k that follow each other in a shuffled order of all experts.
std::vector<ExpertIndex> even_choices(const ModelSpec& model, std::int64_t tokens, std::size_t source) {
    RandomStream random(stream_key(0, purpose::even_tokens, source), 0);
    std::vector<ExpertIndex> order(static_cast<std::size_t>(model.experts));
    for (std::size_t e = 0; e < order.size(); ++e) order[e] = static_cast<ExpertIndex>(e);
    const auto k = static_cast<std::size_t>(model.top_k);
    std::vector<ExpertIndex> choices;
    for (std::int64_t t = 0; t < tokens; ++t)
        for (std::size_t i = 0; i < k; ++i) {
            std::swap(order[i], order[i + random.below(static_cast<std::uint32_t>(order.size() - i))]);
            choices.push_back(order[i]);
        }
    return choices;
}

}  // namespace

Seconds least_time(const std::vector<Message>& messages, const Fabric& fabric, const MessageModel& model) {
    LinkLoads loads(fabric, model);
    SendGaps gaps(model);
    std::vector<Seconds> ends(messages.size());
    Seconds chain;
    std::optional<Seconds> least_latency;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const Message& m = messages[i];
        const Route route = fabric.route(m.from, m.to);
        Seconds start;
        for (const std::uint32_t before : m.after) start = std::max(start, ends[before]);
        const Seconds latency = m.delay + model.latency(route);
        ends[i] = start + latency + m.bytes / std::min(model.narrowest(route), m.cap);
        chain = std::max(chain, ends[i]);
        least_latency = std::min(least_latency.value_or(latency), latency);
        loads.add({m.from, m.to, m.bytes});
        gaps.add(m.from, route, m.parts);
    }
    return std::max(chain, least_latency.value_or(Seconds{}) + std::max(loads.busiest(), gaps.last()));
}

DispatchSpec chosen_dispatch(const Scenario& s, const Placement& placement, const Fabric& fabric) {
    const RankGrid grid(s.parallelism);
    const MessageModel model(fabric, s.profile);
    const std::int64_t parts = s.parallelism.data * s.schedule.micro_batches * s.schedule.chunks;
    const std::int64_t tokens = std::max<std::int64_t>(1, s.batch.tokens() / parts);
    const std::int64_t drawn = std::min(tokens, most_drawn);
    std::vector<std::vector<ExpertIndex>> choices;
    std::vector<SourceChoices> sources;
    for (std::size_t d = 0; d < grid.data(); ++d) choices.push_back(even_choices(s.model, drawn, d));
    for (std::size_t d = 0; d < grid.data(); ++d)
        sources.push_back({d, choices[d], static_cast<std::size_t>(s.model.top_k)});
    const auto row = [&](Dtype dtype) { return Bytes(s.model.hidden * bytes_of(dtype) * tokens / drawn); };

    constexpr std::array<std::pair<Algorithm, Dedup>, 5> candidates = {{{Algorithm::direct, Dedup::rank},
                                                                        {Algorithm::pairwise, Dedup::rank},
                                                                        {Algorithm::hierarchical, Dedup::rank},
                                                                        {Algorithm::rail, Dedup::node},
                                                                        {Algorithm::low_latency, Dedup::none}}};
    DispatchSpec best = s.dispatch;
    std::optional<Seconds> least;
    for (const auto& [algorithm, dedup] : candidates) {
        DispatchSpec d = s.dispatch;
        d.algorithm = algorithm;
        d.dedup = dedup;
        const auto a = make_all_to_all(d, s.profile, grid, fabric);
        const Exchange x = count_exchange(sources, LayerId(0), dedup, placement, grid, fabric, s.placement.replicas);
        const Seconds time = least_time(a->dispatch(x, row(d.dtype)), fabric, model) +
                             least_time(a->give_back(x, row(d.return_dtype)), fabric, model);
        if (least && time >= *least) continue;
        least = time;
        best = d;
    }
    return best;
}

}  // namespace moesim
