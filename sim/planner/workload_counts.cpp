#include "planner/workload_counts.hpp"

#include <algorithm>

namespace moesim {

WorkloadCounts workload_counts(std::shared_ptr<const RoutingTrace> trace) {
    const RoutingTrace& t = *trace;
    WorkloadCounts c;
    c.layers = t.layers;
    c.experts = t.experts;
    c.top_k = t.top_k;
    c.tokens = static_cast<std::int64_t>(t.tokens);
    c.load = Matrix<double>(t.layers, t.experts);
    c.together.assign(t.layers, Matrix<double>(t.experts, t.experts));
    c.first.assign(t.layers > 0 ? t.layers - 1 : 0, Matrix<double>(t.experts, t.experts));
    c.pairs = c.first;
    for (std::size_t i = 0; i < t.tokens; ++i)
        for (std::size_t l = 0; l < t.layers; ++l) {
            const auto here = t.at(i, l);
            for (const ExpertIndex e : here) {
                if (e == no_expert) continue;
                ++c.load(l, e);
                for (const ExpertIndex other : here)
                    if (other != no_expert && other != e) ++c.together[l](e, other);
                if (l == 0) continue;
                for (const ExpertIndex before : t.at(i, l - 1))
                    if (before != no_expert) ++c.pairs[l - 1](before, e);
            }
            if (l > 0 && here[0] != no_expert && t.at(i, l - 1)[0] != no_expert)
                ++c.first[l - 1](t.at(i, l - 1)[0], here[0]);
        }
    c.trace = std::move(trace);
    return c;
}

RoutingTrace every_second_block(const RoutingTrace& trace, std::size_t block, bool odd) {
    RoutingTrace part = trace;
    part.choices.clear();
    part.source_begin.clear();
    part.tokens = 0;
    const std::size_t row = trace.layers * trace.top_k;
    std::size_t source = 0;
    for (std::size_t i = 0; i < trace.tokens; ++i) {
        const bool begins = source < trace.source_begin.size() && trace.source_begin[source] <= i;
        while (source < trace.source_begin.size() && trace.source_begin[source] <= i) ++source;
        // A source whose first tokens fall into the other part begins with the first one that is kept.
        if (begins) part.source_begin.push_back(part.tokens);
        if ((i / block % 2 == 1) != odd) continue;
        const auto first = trace.choices.begin() + static_cast<std::ptrdiff_t>(i * row);
        part.choices.insert(part.choices.end(), first, first + static_cast<std::ptrdiff_t>(row));
        ++part.tokens;
    }
    auto& begin = part.source_begin;
    begin.erase(std::unique(begin.begin(), begin.end()), begin.end());
    while (begin.size() > 1 && begin.back() >= part.tokens) begin.pop_back();
    if (begin.empty()) begin.push_back(0);
    return part;
}

}  // namespace moesim
