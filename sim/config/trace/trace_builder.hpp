#pragma once
// Rows of recorded ids -> RoutingTrace, with the checks that every format owes.
#include <cstdint>
#include <span>
#include <string>

#include "config/trace/trace.hpp"
#include "config/trace/trace_options.hpp"

namespace moesim {

class TraceBuilder {
  public:
    // Throws InputError where the options are out of range.
    TraceBuilder(std::string file, const TraceOptions& options);

    // What follows belongs to another source; one that gets no token leaves no mark.
    void open_source() { source_pending_ = true; }

    // What follows is [tokens][layers][top_k]. `where` ("FILE: $.path") stands before the message. Throws InputError
    // where a dimension is out of range or unlike the one of before or of the options, or where all becomes too large.
    void expect(std::size_t tokens, std::size_t layers, std::size_t top_k, const std::string& where);

    // The ids of one token in one layer, as many as expect() said; -1 is "no expert". `place(i)` tells where id i
    // stands. Throws InputError for an id out of range or given twice.
    template <class Place>
    void add_row(std::span<const std::int64_t> ids, const Place& place) {
        if (source_pending_) mark_source();
        const std::size_t begin = trace_.choices.size();
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (ids[i] < -1 || ids[i] >= limit_) fail_id(place(i), ids[i]);
            trace_.choices.push_back(ids[i] < 0 ? no_expert : static_cast<ExpertIndex>(ids[i]));
            if (ids[i] > largest_) largest_ = ids[i];
        }
        const std::size_t twice = first_repeat(begin);
        if (twice < ids.size()) fail_repeat(place(twice), ids[twice]);
    }

    void reserve(std::size_t ids) { trace_.choices.reserve(trace_.choices.size() + ids); }

    // Throws InputError where no token, or no expert at all, was seen.
    [[nodiscard]] RoutingTrace finish();

  private:
    void mark_source();
    // The first place of the row from `begin` on that repeats an earlier one; past its end where none does.
    [[nodiscard]] std::size_t first_repeat(std::size_t begin) const;
    [[noreturn]] void fail_id(const std::string& where, std::int64_t id) const;
    [[noreturn]] static void fail_repeat(const std::string& where, std::int64_t id);

    TraceOptions options_;
    std::int64_t limit_, largest_ = -1;
    bool source_pending_ = true;
    RoutingTrace trace_;
};

}  // namespace moesim
