#include "result/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

#include "result/timeline.hpp"

namespace moesim {
namespace {

constexpr double us = 1e6;

class Writer {
  public:
    template <class... Args>
    void event(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(text_), "{}\n{{", first_ ? "" : ",");
        fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
        text_ += '}';
        first_ = false;
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

  private:
    std::string text_;
    bool first_ = true;
};

void write_names(Writer& out, const Result& result) {
    for (std::size_t r = 0; r < result.plan.fabric.ranks(); ++r) {
        out.event(R"x("ph":"M","name":"process_name","pid":{},"args":{{"name":"GPU {} (node {})"}})x", r, r,
                  result.plan.fabric.node_of(RankId(r)).value());
        out.event(R"("ph":"M","name":"process_sort_index","pid":{},"args":{{"sort_index":{}}})", r, r);
        const bool tensor = result.plan.scenario.parallelism.tensor > 1;
        for (std::size_t s = 0; s < stream_count; ++s) {
            if (static_cast<Stream>(s) == Stream::tensor && !tensor) continue;
            out.event(R"("ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":"{}"}})", r, s,
                      name(static_cast<Stream>(s)));
        }
    }
}

void write_slice(Writer& out, const Slice& s) {
    const Label& l = s.label;
    out.event(R"("ph":"X","name":"{}","pid":{},"tid":{},"ts":{},"dur":{},"args":{{"layer":{},"micro_batch":{},)"
              R"("chunk":{},"sent_bytes":{}}})",
              name(l.stage), l.rank.value(), static_cast<int>(l.stream), s.start.value() * us,
              (s.finish - s.start).value() * us, l.layer, l.micro_batch, l.chunk, s.sent.value());
}

// When a rank's side of a collective began and ended, to find the slices that an arrow joins.
class SpanTimes {
  public:
    explicit SpanTimes(const Result& result) {
        for (const CollectiveSpan& s : result.graph.spans())
            times_[key(s.label, s.label.rank)] = {result.times[s.issue].finish, result.times[s.done].finish};
    }
    // Inside of that rank's slice and as near to `at` as can be. An arrow belongs to the slice around it, and a moment
    // that ends one slice and begins the next is taken for the next: so the end itself is left out.
    [[nodiscard]] double inside_us(const Label& label, RankId rank, Seconds at) const {
        const auto found = times_.find(key(label, rank));
        if (found == times_.end()) return at.value() * us;
        const auto [begin, end] = found->second;
        return std::max(begin.value() * us, std::min(at.value() * us, end.value() * us - 1e-3));
    }

  private:
    using Key = std::array<std::uint64_t, 2>;
    static Key key(const Label& l, RankId rank) {
        return {static_cast<std::uint64_t>(rank.value()) << 16 | static_cast<std::uint64_t>(l.stage) << 8 |
                    static_cast<std::uint64_t>(l.stream),
                static_cast<std::uint64_t>(l.layer) << 32 | static_cast<std::uint64_t>(l.micro_batch) << 16 | l.chunk};
    }
    std::map<Key, std::pair<Seconds, Seconds>> times_;
};

// From the sender's slice to the receiver's. Where a message arrives before the receiver has begun its own side, or is
// forwarded before the forwarder has, the arrow touches the slice's beginning; args tell the true times.
void write_arrow(Writer& out, TaskId id, const Task& t, const TaskTime& time, const SpanTimes& spans) {
    const int stream = static_cast<int>(t.label.stream);
    out.event(R"("ph":"s","id":{},"name":"{}","cat":"message","pid":{},"tid":{},"ts":{},"args":{{"bytes":{},)"
              R"("starts_us":{},"arrives_us":{}}})",
              id, name(t.label.stage), t.label.rank.value(), stream, spans.inside_us(t.label, t.label.rank, time.start),
              t.bytes.value(), time.start.value() * us, time.finish.value() * us);
    out.event(R"("ph":"f","bp":"e","id":{},"name":"{}","cat":"message","pid":{},"tid":{},"ts":{})", id,
              name(t.label.stage), t.peer.value(), stream, spans.inside_us(t.label, t.peer, time.finish));
}

}  // namespace

std::string chrome_trace(const Result& result, std::size_t max_arrows) {
    Writer out;
    write_names(out, result);
    for (const Slice& s : slices(result)) write_slice(out, s);
    const SpanTimes spans(result);
    std::size_t arrows = 0, left_out = 0;
    const auto& tasks = result.graph.tasks();
    for (TaskId id = 0; id < tasks.size(); ++id) {
        if (tasks[id].bytes == Bytes{}) continue;
        if (arrows == max_arrows) {
            ++left_out;
            continue;
        }
        ++arrows;
        write_arrow(out, id, tasks[id], result.times[id], spans);
    }
    return fmt::format(
        "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"arrows\":{},\"arrows_left_out\":{}}},"
        "\"traceEvents\":[{}\n]}}\n",
        arrows, left_out, out.take());
}

}  // namespace moesim
