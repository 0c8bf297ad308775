#include "config/trace/trace_builder.hpp"

#include <fmt/format.h>

#include <limits>
#include <optional>

#include "config/trace/refuse.hpp"

namespace moesim {
namespace {

void check_option(const std::string& file, const char* name, std::optional<std::size_t> value, std::size_t most) {
    if (value && (*value < 1 || *value > most))
        refuse(file, fmt::format("the option {} = {}", name, *value), fmt::format("1 to {}", most));
}

// A dimension has a range, must be as before (0: nothing was before), and as the options say.
void check_dimension(const std::string& where, const char* name, std::size_t value, std::size_t most,
                     std::size_t before, std::optional<std::size_t> option) {
    const std::string found = fmt::format("{} = {}", name, value);
    if (value < 1 || value > most) refuse(where, found, fmt::format("1 to {}", most));
    if (before != 0 && value != before) refuse(where, found, fmt::format("{}, as before in the file", before));
    if (option && value != *option) refuse(where, found, fmt::format("{}, as the options say", *option));
}

}  // namespace

TraceBuilder::TraceBuilder(std::string file, const TraceOptions& options) : options_(options) {
    check_option(file, "layers", options.layers, max_trace_layers);
    check_option(file, "top_k", options.top_k, max_trace_top_k);
    check_option(file, "experts", options.experts, max_trace_experts);
    limit_ = static_cast<std::int64_t>(options.experts.value_or(max_trace_experts));
    trace_.origin = std::move(file);
}

void TraceBuilder::expect(std::size_t tokens, std::size_t layers, std::size_t top_k, const std::string& where) {
    check_dimension(where, "layers", layers, max_trace_layers, trace_.layers, options_.layers);
    check_dimension(where, "top_k", top_k, max_trace_top_k, trace_.top_k, options_.top_k);
    trace_.layers = layers;
    trace_.top_k = top_k;
    if (tokens > (max_trace_ids - trace_.choices.size()) / (layers * top_k))
        refuse(where, fmt::format("another [{}][{}][{}] (tokens, layers, top_k)", tokens, layers, top_k),
               fmt::format("at most {} ids in all", max_trace_ids));
}

void TraceBuilder::mark_source() {
    trace_.source_begin.push_back(trace_.choices.size() / (trace_.layers * trace_.top_k));
    source_pending_ = false;
}

std::size_t TraceBuilder::first_repeat(std::size_t begin) const {
    const auto row = std::span(trace_.choices).subspan(begin);
    for (std::size_t i = 1; i < row.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (row[i] == row[j] && row[i] != no_expert) return i;
    return row.size();
}

void TraceBuilder::fail_id(const std::string& where, std::int64_t id) const {
    const bool clamped = id == std::numeric_limits<std::int64_t>::max();  // as readers do with what is larger still
    refuse(where, fmt::format("{}{}", id, clamped ? " or more" : ""),
           fmt::format("an expert from 0 to {}{}, or -1 for none", limit_ - 1,
                       options_.experts ? ", as the options say" : ""));
}

void TraceBuilder::fail_repeat(const std::string& where, std::int64_t id) {
    refuse(where, fmt::format("expert {} for the second time", id), "each expert once a token and layer");
}

RoutingTrace TraceBuilder::finish() {
    if (trace_.choices.empty()) refuse(trace_.origin, "no tokens", "one or more");
    if (largest_ < 0) refuse(trace_.origin, "-1 everywhere", "an expert for one token or more");
    trace_.tokens = trace_.choices.size() / (trace_.layers * trace_.top_k);
    trace_.experts = options_.experts.value_or(static_cast<std::size_t>(largest_) + 1);
    return std::move(trace_);
}

}  // namespace moesim
