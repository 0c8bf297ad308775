#include "result/timeline.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

namespace moesim {

std::string_view name(Stream stream) {
    constexpr std::array<std::string_view, stream_count> names = {"compute", "dispatch", "return", "tensor"};
    return names[static_cast<std::size_t>(stream)];
}

std::vector<Slice> slices(const Result& result) {
    std::vector<Slice> all;
    const auto& tasks = result.graph.tasks();
    for (TaskId id = 0; id < tasks.size(); ++id)
        if (tasks[id].kind == TaskKind::compute)
            all.push_back({tasks[id].label, result.times[id].start, result.times[id].finish, {}});
    for (const CollectiveSpan& s : result.graph.spans())
        all.push_back({s.label, result.times[s.issue].finish, result.times[s.done].finish, s.sent});
    all.erase(std::remove_if(all.begin(), all.end(), [](const Slice& s) { return s.finish <= s.start; }), all.end());
    std::stable_sort(all.begin(), all.end(), [](const Slice& a, const Slice& b) {
        return std::tie(a.label.rank, a.label.stream, a.start) < std::tie(b.label.rank, b.label.stream, b.start);
    });
    return all;
}

nlohmann::ordered_json timeline_json(const Result& result) {
    constexpr std::size_t most = 64;
    const std::size_t ranks = result.plan.fabric.ranks(), step = std::max<std::size_t>((ranks + most - 1) / most, 1);
    nlohmann::ordered_json chosen = nlohmann::ordered_json::array(), rows = chosen;
    for (std::size_t r = 0; r < ranks; r += step) chosen.push_back(r);
    for (const Slice& s : slices(result)) {
        const Label& l = s.label;
        if (l.rank.value() % step != 0) continue;
        rows.push_back({l.rank.value(), name(l.stream), name(l.stage), l.layer, l.micro_batch, l.chunk, s.start.value(),
                        s.finish.value()});
    }
    return {{"columns", {"rank", "stream", "stage", "layer", "micro_batch", "chunk", "start_s", "finish_s"}},
            {"ranks", std::move(chosen)},
            {"rows", std::move(rows)}};
}

}  // namespace moesim
