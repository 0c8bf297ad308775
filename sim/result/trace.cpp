#include "result/trace.hpp"

#include <fmt/format.h>

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

// From the sender's slice to the receiver's. An arrow ends in the slice around its end; a message that arrives before
// the receiver has issued its own side ends at the next slice.
void write_arrow(Writer& out, TaskId id, const Task& t, const TaskTime& time, Seconds receiver_issued) {
    const int stream = static_cast<int>(t.label.stream);
    out.event(R"("ph":"s","id":{},"name":"{}","cat":"message","pid":{},"tid":{},"ts":{},"args":{{"bytes":{}}})", id,
              name(t.label.stage), t.label.rank.value(), stream, time.start.value() * us, t.bytes.value());
    const bool inside = time.finish >= receiver_issued;
    out.event(R"("ph":"f",{}"id":{},"name":"{}","cat":"message","pid":{},"tid":{},"ts":{})",
              inside ? R"("bp":"e",)" : "", id, name(t.label.stage), t.peer.value(), stream, time.finish.value() * us);
}

// When a rank issued the collective that a message belongs to.
class IssueTimes {
  public:
    explicit IssueTimes(const Result& result) {
        for (const CollectiveSpan& s : result.graph.spans())
            times_[key(s.label, s.label.rank)] = result.times[s.issue].finish;
    }
    [[nodiscard]] Seconds of_peer(const Task& t) const {
        const auto at = times_.find(key(t.label, t.peer));
        return at == times_.end() ? Seconds{} : at->second;
    }

  private:
    using Key = std::array<std::uint64_t, 2>;
    static Key key(const Label& l, RankId rank) {
        return {static_cast<std::uint64_t>(rank.value()) << 8 | static_cast<std::uint64_t>(l.stream),
                static_cast<std::uint64_t>(l.layer) << 32 | static_cast<std::uint64_t>(l.micro_batch) << 16 | l.chunk};
    }
    std::map<Key, Seconds> times_;
};

}  // namespace

std::string chrome_trace(const Result& result, std::size_t max_arrows) {
    Writer out;
    write_names(out, result);
    for (const Slice& s : slices(result)) write_slice(out, s);
    const IssueTimes issued(result);
    std::size_t arrows = 0, left_out = 0;
    const auto& tasks = result.graph.tasks();
    for (TaskId id = 0; id < tasks.size(); ++id) {
        if (tasks[id].bytes == Bytes{}) continue;
        if (arrows == max_arrows) {
            ++left_out;
            continue;
        }
        ++arrows;
        write_arrow(out, id, tasks[id], result.times[id], issued.of_peer(tasks[id]));
    }
    return fmt::format(
        "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"arrows\":{},\"arrows_left_out\":{}}},"
        "\"traceEvents\":[{}\n]}}\n",
        arrows, left_out, out.take());
}

}  // namespace moesim
