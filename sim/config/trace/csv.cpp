#include "config/trace/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/json_text.hpp"
#include "config/trace/refuse.hpp"
#include "config/trace/trace_builder.hpp"

namespace moesim {
namespace {

constexpr std::string_view header_begin = "token,layer,e0";

// Takes the text up to `separator` off `rest`, and the separator.
std::string_view cut(std::string_view& rest, char separator) {
    const std::string_view part = rest.substr(0, rest.find(separator));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
}

std::string_view cut_line(std::string_view& rest) {
    std::string_view line = cut(rest, '\n');
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
}

// The number of columns e0, e1, ... of the first line.
std::size_t read_header(std::string_view line, const std::string& file) {
    const auto top_k = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) - 1;
    std::string expected = "token,layer";
    if (line.substr(0, header_begin.size()) == header_begin && top_k <= max_trace_top_k)
        for (std::size_t k = 0; k < top_k; ++k) expected += fmt::format(",e{}", k);
    if (line != expected || top_k == 0)
        refuse(file + ": line 1: $", fmt::format("`{}`", clipped(std::string(line))),
               fmt::format("token,layer,e0,... with at most {} experts", max_trace_top_k));
    return top_k;
}

std::string column_name(std::size_t column) {
    return column == 0 ? "token" : column == 1 ? "layer" : fmt::format("e{}", column - 2);
}

class Rows {
  public:
    Rows(std::size_t top_k, const std::string& file) : fields_(top_k + 2), file_(file) {}

    // Line 2 is row 0.
    void add(std::string_view line, TraceBuilder& builder) {
        const auto columns = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
        if (columns != fields_.size())
            refuse(place() + "$", fmt::format("{} columns", line.empty() ? 0 : columns),
                   fmt::format("{}", fields_.size()));
        for (std::size_t column = 0; column < fields_.size(); ++column)
            fields_[column] = integer(cut(line, ','), column);
        check_index(0, max_trace_ids);
        check_index(1, max_trace_layers);
        builder.add_row(std::span(fields_).subspan(2),
                        [&](std::size_t i) { return fmt::format("{}$.e{}", place(), i); });
        keys_.push_back({static_cast<std::uint32_t>(fields_[0]), static_cast<std::uint32_t>(fields_[1])});
    }

    // The rows in the order of tokens and layers.
    [[nodiscard]] RoutingTrace sorted(const RoutingTrace& flat, const TraceOptions& options) const {
        RoutingTrace trace = flat;
        trace.tokens = trace.layers = 0;
        for (const Key& k : keys_) {
            trace.tokens = std::max<std::size_t>(trace.tokens, k.token + std::size_t{1});
            trace.layers = std::max<std::size_t>(trace.layers, k.layer + std::size_t{1});
        }
        if (options.layers && trace.layers != *options.layers)
            refuse(file_, fmt::format("layers = {}", trace.layers),
                   fmt::format("{}, as the options say", *options.layers));
        check_each_once(trace.tokens, trace.layers);
        for (std::size_t row = 0; row < keys_.size(); ++row) {
            const auto from = flat.at(row, 0);
            const std::size_t to = (keys_[row].token * trace.layers + keys_[row].layer) * trace.top_k;
            std::copy(from.begin(), from.end(), trace.choices.begin() + static_cast<std::ptrdiff_t>(to));
        }
        return trace;
    }

  private:
    struct Key {
        std::uint32_t token, layer;
    };

    [[nodiscard]] std::string place() const { return fmt::format("{}: line {}: ", file_, keys_.size() + 2); }

    [[nodiscard]] std::int64_t integer(std::string_view field, std::size_t column) const {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
        if (error != std::errc() || end != field.data() + field.size())
            refuse(place() + "$." + column_name(column), fmt::format("`{}`", clipped(std::string(field))),
                   "an integer");
        return value;
    }

    void check_index(std::size_t column, std::size_t limit) const {
        if (fields_[column] < 0 || fields_[column] >= static_cast<std::int64_t>(limit))
            refuse(place() + "$." + column_name(column), fmt::format("{}", fields_[column]),
                   fmt::format("an integer from 0 to {}", limit - 1));
    }

    // With one row more than there are, or fewer, a pair is missing or doubled among the first rows() + 1 of them: no
    // larger table is needed to find it, however large a token's number is.
    void check_each_once(std::size_t tokens, std::size_t layers) const {
        std::vector<bool> seen(std::min(tokens * layers, keys_.size() + 1));
        for (std::size_t row = 0; row < keys_.size(); ++row) {
            const std::size_t pair = keys_[row].token * layers + keys_[row].layer;
            if (pair >= seen.size()) continue;
            if (seen[pair])
                refuse(fmt::format("{}: line {}: $.token", file_, row + 2),
                       fmt::format("token {} in layer {} for the second time", keys_[row].token, keys_[row].layer),
                       "it once");
            seen[pair] = true;
        }
        const auto gap = std::find(seen.begin(), seen.end(), false);
        if (gap == seen.end()) return;
        const auto pair = static_cast<std::size_t>(gap - seen.begin());
        refuse(file_, fmt::format("no row of token {} in layer {}", pair / layers, pair % layers),
               fmt::format("one for each token up to {} and layer up to {}", tokens - 1, layers - 1));
    }

    std::vector<std::int64_t> fields_;  // of the line that is read
    const std::string& file_;
    std::vector<Key> keys_;  // [row]
};

}  // namespace

RoutingTrace read_csv_trace(std::string_view text, const std::string& file, const TraceOptions& options) {
    TraceOptions one_layer = options;  // the builder takes each row for a token of one layer, in the file's order
    one_layer.layers.reset();
    TraceBuilder builder(file, one_layer);
    const std::size_t top_k = read_header(cut_line(text), file);
    builder.expect(0, 1, top_k, file + ": line 1: $");
    Rows rows(top_k, file);
    while (!text.empty()) rows.add(cut_line(text), builder);
    return rows.sorted(builder.finish(), options);
}

}  // namespace moesim
