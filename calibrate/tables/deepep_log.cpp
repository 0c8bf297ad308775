#include "calibrate/tables/deepep_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/error.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

constexpr std::int64_t gpus_per_node = 8;

class Line {
  public:
    Line(std::string_view text, const std::string& file, std::size_t number)
        : text_(text), file_(file), number_(number) {}

    [[nodiscard]] bool has(std::string_view piece) const { return text_.find(piece) != text_.npos; }
    // The number behind the first `mark` from `from` on; nothing where the mark is not there.
    [[nodiscard]] std::optional<double> after(std::string_view mark, std::size_t from = 0) const {
        const auto at = text_.find(mark, from);
        if (at == text_.npos) return std::nullopt;
        return number(at + mark.size(), mark);
    }
    // The number before the first `mark`.
    [[nodiscard]] std::optional<double> before(std::string_view mark) const {
        const auto end = text_.find(mark);
        if (end == text_.npos) return std::nullopt;
        auto begin = end;
        while (begin > 0 && is_number(text_[begin - 1])) --begin;
        return number(begin, mark);
    }
    [[nodiscard]] std::optional<std::int64_t> whole(std::string_view mark, std::int64_t most) const {
        const auto v = after(mark);
        if (!v) return std::nullopt;
        if (!(*v >= 1 && *v <= static_cast<double>(most)) || *v != static_cast<double>(static_cast<std::int64_t>(*v)))
            refuse(mark, fmt::format("an integer from 1 to {}", most));
        return static_cast<std::int64_t>(*v);
    }
    [[nodiscard]] std::size_t find(std::string_view mark) const { return text_.find(mark); }
    [[nodiscard]] std::size_t line() const { return number_; }
    [[nodiscard]] Seconds time(std::optional<double> us) const {
        if (!us || !(*us > 0 && *us < 1e9)) refuse("us", "a time above 0");
        return Seconds(*us * 1e-6);
    }

  private:
    static bool is_number(char c) { return (c >= '0' && c <= '9') || c == '.'; }
    [[nodiscard]] double number(std::size_t at, std::string_view mark) const {
        while (at < text_.size() && text_[at] == ' ') ++at;
        double v = 0;
        const auto [end, error] = std::from_chars(text_.data() + at, text_.data() + text_.size(), v);
        if (error != std::errc()) refuse(mark, "a number there");
        return v;
    }
    [[noreturn]] void refuse(std::string_view mark, const std::string& expected) const {
        throw InputError(fmt::format("{}: line {}: $.{}: found `{}`, expected {}", file_, number_,
                                     clipped(std::string(mark)), clipped(std::string(text_)), expected));
    }
    std::string_view text_;
    const std::string& file_;
    std::size_t number_;
};

struct Config {
    std::int64_t tokens = 0, hidden = 7168, top_k = 8, experts = 0, nodes = 1;
};

// Times of all ranks of one low-latency test.
struct LowLatency {
    double dispatch = 0, combine = 0;
    std::int64_t ranks = 0, highest = 0;
    std::size_t line = 0;
};

void read_config(const Line& line, Config& config) {
    if (const auto v = line.whole("num_tokens=", 1'000'000'000)) config.tokens = *v;
    if (const auto v = line.whole("hidden=", 1 << 20)) config.hidden = *v;
    if (const auto v = line.whole("num_topk=", 64)) config.top_k = *v;
    if (const auto v = line.whole("num_experts=", 1 << 16)) config.experts = *v;
    config.nodes = line.has("num_topk_groups=") ? 2 : 1;
}

DeepEpCall call_of(const Config& c, bool combine, std::int64_t tokens, std::int64_t experts) {
    DeepEpCall call;
    call.combine = combine;
    call.nodes = call.most_nodes = c.nodes;
    call.hidden = c.hidden;
    call.tokens = c.tokens > 0 ? c.tokens : tokens;
    call.experts = c.experts > 0 ? c.experts : experts;
    call.top_k = std::min(c.top_k, call.experts);
    return call;
}

void add(std::vector<MeasuredRow>& rows, std::size_t line, bool low_latency, const DeepEpCall& call, Seconds measured) {
    MeasuredRow& r = rows.emplace_back();
    r.line = line;
    r.measured = measured;
    r.call = DeepEpRow{low_latency, call};
}

void read_best(const Line& line, const Config& config, std::vector<MeasuredRow>& rows) {
    const bool combine = line.has("Best combine");
    if (!combine && !line.has("(FP8)")) return;
    auto us = line.after(", t: ");
    if (!us) us = line.after("transmit: ");
    if (!us) us = line.before(" us,");
    if (!us) return;
    Config c = config;
    if (line.has("(RDMA)")) c.nodes = std::max<std::int64_t>(c.nodes, 2);
    DeepEpCall call = call_of(c, combine, 4096, 256);
    call.multiprocessors = static_cast<double>(line.whole("SMs ", 1000).value_or(24));
    add(rows, line.line(), false, call, line.time(us));
}

void finish(const LowLatency& l, Config config, std::vector<MeasuredRow>& rows) {
    if (l.ranks == 0) return;
    config.nodes = std::max(config.nodes, l.highest / gpus_per_node + 1);
    const auto n = static_cast<double>(l.ranks);
    add(rows, l.line, true, call_of(config, false, 128, 288), Seconds(l.dispatch / n));
    add(rows, l.line, true, call_of(config, true, 128, 288), Seconds(l.combine / n));
}

}  // namespace

std::vector<MeasuredRow> read_deepep_log(std::string_view text, const std::string& file) {
    std::vector<MeasuredRow> rows;
    Config config;
    LowLatency low_latency;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::string_view content = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), content.size() + 1));
        const Line line(content, file, ++number);
        if (line.has("[config]")) {
            finish(low_latency, config, rows);
            low_latency = {};
            read_config(line, config);
        } else if (line.has("[tuning] Best ")) {
            read_best(line, config, rows);
        } else if (line.has("] Dispatch bandwidth:")) {
            const std::size_t bar = line.find("| Combine bandwidth:");
            if (bar == std::string_view::npos) continue;
            if (low_latency.ranks == 0) low_latency.line = number;
            low_latency.dispatch += line.time(line.after("avg_t=")).value();
            low_latency.combine += line.time(line.after("avg_t=", bar)).value();
            ++low_latency.ranks;
            const double rank = line.after("[rank ").value_or(0);
            if (rank >= 0 && rank < 1e6)
                low_latency.highest = std::max(low_latency.highest, static_cast<std::int64_t>(rank));
        }
    }
    finish(low_latency, config, rows);
    return rows;
}

}  // namespace moesim
