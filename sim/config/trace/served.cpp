#include "config/trace/served.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "config/trace/base64.hpp"
#include "config/trace/json_lines.hpp"
#include "config/trace/npy.hpp"
#include "config/trace/npy_trace.hpp"
#include "config/trace/served_parts.hpp"
#include "config/trace/trace_builder.hpp"

namespace moesim {
namespace {

enum class Payload { any, npy, flat };

// [tokens][layers][top_k] as nested arrays.
void add_nested(TraceBuilder& builder, const JsonValue& value, const std::string& where) {
    const nlohmann::json& tokens = *value.json;
    if (tokens.empty()) return;
    const auto array_at = [&](const nlohmann::json& json, const std::string& path) {
        if (!json.is_array() || json.empty())
            JsonValue{&json, value.file, value.path + path}.fail("arrays [tokens][layers][top_k], none of them empty");
    };
    array_at(tokens[0], "[0]");
    array_at(tokens[0][0], "[0][0]");
    const std::size_t layers = tokens[0].size(), top_k = tokens[0][0].size();
    builder.expect(tokens.size(), layers, top_k, where);
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        array_at(tokens[t], fmt::format("[{}]", t));
        if (tokens[t].size() != layers)
            JsonValue{&tokens[t], value.file, fmt::format("{}[{}]", value.path, t)}.fail_with(
                fmt::format("an array of {}", tokens[t].size()), fmt::format("one of {} (layers)", layers));
        for (std::size_t l = 0; l < layers; ++l)
            add_json_row(builder, tokens[t][l], top_k, [&] { return fmt::format("{}[{}][{}]", where, t, l); });
    }
}

// int32 [tokens][layers][top_k], little-endian, of a shape that only the options know.
void add_flat(TraceBuilder& builder, std::string_view bytes, const TraceOptions& options, const std::string& where) {
    if (!options.layers || !options.top_k)
        throw InputError(
            fmt::format("{}: found ids without their shape, as SGLang gives them, expected the options "
                        "layers and top_k beside the file",
                        where));
    const std::size_t layers = *options.layers, top_k = *options.top_k, token_bytes = 4 * layers * top_k;
    if (bytes.size() % token_bytes != 0)
        throw InputError(
            fmt::format("{}: found {} bytes, expected a multiple of {}: int32, layers = {}, "
                        "top_k = {}",
                        where, bytes.size(), token_bytes, layers, top_k));
    const std::size_t tokens = bytes.size() / token_bytes;
    builder.expect(tokens, layers, top_k, where);
    std::vector<std::int64_t> ids(top_k);
    for (std::size_t row = 0; row < tokens * layers; ++row) {
        for (std::size_t k = 0; k < top_k; ++k) {
            std::uint32_t raw = 0;
            for (std::size_t byte = 4; byte-- > 0;)
                raw = raw << 8 | static_cast<unsigned char>(bytes[(row * top_k + k) * 4 + byte]);
            ids[k] = static_cast<std::int32_t>(raw);
        }
        builder.add_row(
            ids, [&](std::size_t k) { return fmt::format("{}: [{}][{}][{}]", where, row / layers, row % layers, k); });
    }
}

void add_value(TraceBuilder& builder, const JsonValue& value, const TraceOptions& options, Payload payload) {
    const std::string where = fmt::format("{}: {}", value.file, value.path);
    if (value.json->is_array() && payload != Payload::flat) return add_nested(builder, value, where);
    if (!value.json->is_string()) value.fail("base64 text");
    const std::string bytes = decode_base64(value.json->get_ref<const std::string&>(), where);
    const bool is_npy = std::string_view(bytes).substr(0, npy_magic.size()) == npy_magic;
    if (is_npy && payload == Payload::flat)
        throw InputError(where + ": found a .npy, expected plain int32, as SGLang gives them");
    if (is_npy || payload == Payload::npy) return add_npy(builder, bytes, where);
    add_flat(builder, bytes, options, where);
}

RoutingTrace read(std::string_view text, const std::string& file, const TraceOptions& options, Payload payload) {
    TraceBuilder builder(file, options);
    bool found = false;
    for_each_document(text, file, [&](const nlohmann::json& json, const std::string& where) {
        for_each_routing({&json, where, "$"}, [&](const JsonValue& value, bool opens_source) {
            found = true;
            if (opens_source) builder.open_source();
            add_value(builder, value, options, payload);
        });
    });
    if (!found)
        throw InputError(
            fmt::format("{}: $: found no routed_experts that is not null, expected one; the server needs "
                        "--enable-return-routed-experts",
                        file));
    return builder.finish();
}

}  // namespace

RoutingTrace read_vllm_trace(std::string_view text, const std::string& file, const TraceOptions& options) {
    return read(text, file, options, Payload::npy);
}

RoutingTrace read_sglang_trace(std::string_view text, const std::string& file, const TraceOptions& options) {
    return read(text, file, options, Payload::flat);
}

RoutingTrace read_served_trace(std::string_view text, const std::string& file, const TraceOptions& options) {
    return read(text, file, options, Payload::any);
}

}  // namespace moesim
