#include "config/trace/megatron.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "config/json_object.hpp"
#include "config/trace/json_lines.hpp"
#include "config/trace/refuse.hpp"
#include "config/trace/trace_builder.hpp"

namespace moesim {
namespace {

constexpr std::int64_t max_step = std::int64_t{1} << 53, max_rank = (1 << 24) - 1, max_layer_id = 1 << 20;

struct LayerKey {
    std::string block;
    std::int64_t mtp_index = -1, layer = 0;  // -1: not of a multi-token-prediction head
    auto operator<=>(const LayerKey& other) const {
        const auto order = [](const LayerKey& k) {
            return std::tuple(k.block != "decoder", std::string_view(k.block), k.mtp_index, k.layer);
        };
        return order(*this) <=> order(other);
    }
    bool operator==(const LayerKey&) const = default;
};

std::string name_of(const LayerKey& k) {
    const std::string head = k.mtp_index < 0 ? "" : fmt::format(" mtp_idx {}", k.mtp_index);
    return fmt::format("{}{} layer {}", k.block, head, k.layer);
}

// One line: the rows of [tokens] from `first_row` on, in the order of the file.
struct Record {
    std::int64_t step = 0, rank = 0;
    std::size_t micro_batch = 0;
    LayerKey layer;
    std::size_t layer_index = 0, tokens = 0, first_row = 0;
    std::string where;  // "FILE: line 3"

    [[nodiscard]] auto source() const { return std::tuple(step, micro_batch, rank); }
    [[noreturn]] void fail(const char* key, const std::string& found, const std::string& expected) const {
        refuse(fmt::format("{}: $.{}", where, key), found, expected);
    }
};

std::string name_of_source(const Record& r) {
    const std::string batch = r.micro_batch == 0 ? "" : fmt::format(", micro-batch {}", r.micro_batch);
    return fmt::format("step {}{}, rank {}", r.step, batch, r.rank);
}

class Reader {
  public:
    Reader(const std::string& file, const TraceOptions& options)
        : builder_(file, one_layer(options)), options_(options), file_(file) {}

    void take(const nlohmann::json& json, const std::string& where) {
        const auto field = [&](const char* key) {
            const auto at = json.is_object() ? json.find(key) : json.end();
            return JsonValue{at == json.end() ? nullptr : &*at, where, fmt::format("$.{}", key)};
        };
        if (!json.is_object()) JsonValue{&json, where, "$"}.fail("an object with step, layer, rank and top_indices");
        Record r;
        r.where = where;
        r.step = field("step").integer(0, max_step);
        r.rank = field("rank").integer(0, max_rank);
        r.layer.layer = field("layer").integer(0, max_layer_id);
        r.layer.block = field("block").present() ? field("block").line() : "decoder";
        if (field("mtp_idx").present()) r.layer.mtp_index = field("mtp_idx").integer(0, max_layer_id);
        if (field("stage").present()) check_stage(field("stage"));
        r.tokens = static_cast<std::size_t>(field("num_tokens").integer(0, max_trace_ids));
        r.micro_batch = seen_[{r.step, r.rank, r.layer}]++;
        r.first_row = rows_;
        const auto top_k = static_cast<std::size_t>(field("topk").integer(1, max_trace_top_k));
        builder_.expect(r.tokens, 1, top_k, where + ": $.topk");
        add_rows(field("top_indices"), r.tokens, top_k);
        rows_ += r.tokens;
        records_.push_back(std::move(r));
    }

    RoutingTrace finish() {
        RoutingTrace flat = builder_.finish();  // throws where no record had a token
        const std::size_t layers = number_layers();
        std::sort(records_.begin(), records_.end(), [](const Record& a, const Record& b) {
            return std::tuple(a.source(), a.layer_index) < std::tuple(b.source(), b.layer_index);
        });
        check_complete(layers);
        RoutingTrace trace = flat;
        trace.layers = layers;
        trace.tokens = rows_ / layers;
        trace.source_begin.clear();
        std::size_t first_token = 0;
        for (const Record& r : records_) {
            for (std::size_t token = 0; token < r.tokens; ++token) {
                const auto row = flat.at(r.first_row + token, 0);
                const std::size_t to = (first_token + token) * layers + r.layer_index;
                std::copy(row.begin(), row.end(),
                          trace.choices.begin() + static_cast<std::ptrdiff_t>(to * trace.top_k));
            }
            if (r.layer_index + 1 < layers || r.tokens == 0) continue;
            trace.source_begin.push_back(first_token);
            first_token += r.tokens;
        }
        return trace;
    }

  private:
    // The builder sees each record as one layer; the number of layers shows at the end.
    static TraceOptions one_layer(TraceOptions options) {
        options.layers.reset();
        return options;
    }

    // All records must be of one stage, since each stage would show the same tokens again.
    void check_stage(const JsonValue& value) {
        const std::string stage = value.line();
        if (stage_.empty()) stage_ = stage;
        if (stage != stage_) value.fail(fmt::format("\"{}\", as before in the file", stage_));
    }

    void add_rows(const JsonValue& value, std::size_t tokens, std::size_t top_k) {
        if (!value.present() || !value.json->is_array())
            value.fail(fmt::format("an array of {}, as num_tokens says", tokens));
        if (value.json->size() != tokens)
            value.fail_with(fmt::format("an array of {}", value.json->size()),
                            fmt::format("one of {}, as num_tokens says", tokens));
        for (std::size_t token = 0; token < tokens; ++token)
            add_json_row(builder_, (*value.json)[token], top_k,
                         [&] { return fmt::format("{}: {}[{}]", value.file, value.path, token); });
    }

    std::size_t number_layers() {
        std::map<LayerKey, std::size_t> numbers;
        for (const Record& r : records_) numbers.emplace(r.layer, 0);
        std::size_t next = 0;
        for (auto& [key, number] : numbers) number = next++;
        for (Record& r : records_) r.layer_index = numbers.at(r.layer);
        for (const auto& [key, number] : numbers) layer_names_.push_back(name_of(key));
        const std::string found = fmt::format("layers = {}", next);
        const auto fail = [&](const std::string& expected) { refuse(file_, found, expected); };
        if (next > max_trace_layers) fail(fmt::format("at most {}", max_trace_layers));
        if (options_.layers && next != *options_.layers) fail(fmt::format("{}, as the options say", *options_.layers));
        return next;
    }

    // The records, in order, are `layers` a source, and agree on its tokens.
    void check_complete(std::size_t layers) const {
        for (std::size_t begin = 0; begin < records_.size(); begin += layers) {
            const Record& first = records_[begin];
            for (std::size_t layer = 0; layer < layers; ++layer) {
                const bool there = begin + layer < records_.size() &&
                                   records_[begin + layer].source() == first.source() &&
                                   records_[begin + layer].layer_index == layer;
                if (!there)
                    first.fail("layer",
                               fmt::format("no record of {} for {}", layer_names_[layer], name_of_source(first)),
                               "one, since the file has this layer elsewhere");
                const Record& r = records_[begin + layer];
                if (r.tokens != first.tokens)
                    r.fail("num_tokens", fmt::format("{}", r.tokens),
                           fmt::format("{}, as {} has for {}", first.tokens, layer_names_[0], name_of_source(first)));
            }
        }
    }

    TraceBuilder builder_;
    TraceOptions options_;
    std::string file_, stage_;
    std::vector<std::string> layer_names_;
    std::size_t rows_ = 0;
    std::map<std::tuple<std::int64_t, std::int64_t, LayerKey>, std::size_t> seen_;  // step, rank, layer: how often
    std::vector<Record> records_;
};

}  // namespace

RoutingTrace read_megatron_trace(std::string_view text, const std::string& file, const TraceOptions& options) {
    Reader reader(file, options);
    for_each_json_line(text, file, [&](const auto& json, const auto& where) { reader.take(json, where); });
    return reader.finish();
}

}  // namespace moesim
