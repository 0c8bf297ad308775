#pragma once
// What the targets of recorded routings check: a content is refused with an InputError, or taken; what is taken keeps
// the promises of its value, and reads back as the same from what is written.
#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "base/error.hpp"
#include "config/trace/read_trace.hpp"
#include "config/trace/write_trace.hpp"
#include "round_trip.hpp"

namespace moesim::fuzz {

inline void require(bool holds) {
    if (!holds) std::abort();
}

// Read again, a written trace has the origin "input" and states no number of experts.
template <class Write>
void require_reads_back(const RoutingTrace& trace, const Write& write) {
    std::ostringstream out;
    write(out, trace);
    auto again = std::get<RoutingTrace>(parse_trace(out.str(), "input", {}));
    again.experts = trace.experts;
    require(again == trace);
}

inline void check(RoutingTrace trace) {
    require(trace.tokens > 0 && trace.choices.size() == trace.tokens * trace.layers * trace.top_k);
    for (const ExpertIndex expert : trace.choices) require(expert == no_expert || expert < trace.experts);
    const auto& begins = trace.source_begin;
    require(!begins.empty() && begins.front() == 0 && begins.back() < trace.tokens);
    require(std::adjacent_find(begins.begin(), begins.end(), std::greater_equal<>()) == begins.end());
    require_reads_back(trace, write_megatron_trace);
    trace.source_begin = {0};  // a .npy does not tell the sources
    require_reads_back(trace, write_npy_trace);
}

inline void check(const LoadTable& table) {
    nlohmann::json layers = nlohmann::json::array();
    for (std::size_t l = 0; l < table.load.rows(); ++l)
        layers.push_back(std::vector<double>(table.load.row(l).begin(), table.load.row(l).end()));
    const nlohmann::json document = {{"logical_count", layers}};
    require(std::get<LoadTable>(parse_trace(document.dump(), "input", {})) == table);
}

inline void check_trace(std::string_view content, const TraceOptions& options) {
    RecordedRouting value;
    try {
        value = parse_trace(content, "input", options);
    } catch (const InputError&) {
        return;
    }
    std::visit([](const auto& v) { check(v); }, value);
}

}  // namespace moesim::fuzz
