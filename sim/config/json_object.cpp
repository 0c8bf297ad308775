#include "config/json_object.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "base/suggestion.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

std::string describe(const nlohmann::json* json) {
    if (json == nullptr) return "nothing";
    if (json->is_array()) return "an array";
    if (json->is_object()) return "an object";
    return clipped(json->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

bool has_control_characters(const std::string& text, std::string_view allowed) {
    return std::any_of(text.begin(), text.end(), [&](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 || byte == 0x7f) && allowed.find(c) == allowed.npos;
    });
}

}  // namespace

void JsonValue::fail_with(const std::string& found, const std::string& expected) const {
    throw InputError(fmt::format("{}: {}: found {}, expected {}", file, path, found, expected));
}

void JsonValue::fail(const std::string& expected) const { fail_with(describe(json), expected); }

std::int64_t JsonValue::integer(std::int64_t low, std::int64_t high, std::string_view why) const {
    const std::string range = low == high ? fmt::format("{}", low) : fmt::format("an integer from {} to {}", low, high);
    const std::string expected = why.empty() ? range : fmt::format("{} ({})", range, why);
    if (!present() || !json->is_number_integer()) fail(expected);
    // An unsigned number above the signed range would wrap; it is out of any range asked for here.
    if (json->is_number_unsigned() && json->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
        fail(expected);
    const auto v = json->get<std::int64_t>();
    if (v < low || v > high) fail(expected);
    return v;
}

double JsonValue::number(double low, double high) const {
    const std::string expected = fmt::format("a number from {} to {}", low, high);
    if (!present() || !json->is_number()) fail(expected);
    const auto v = json->get<double>();
    if (!(v >= low && v <= high)) fail(expected);
    return v + 0.0;  // -0 becomes 0
}

bool JsonValue::boolean() const {
    if (!present() || !json->is_boolean()) fail("true or false");
    return json->get<bool>();
}

std::string JsonValue::text() const {
    if (!present() || !json->is_string()) fail("a text");
    const auto& all = json->get_ref<const std::string&>();
    if (all.empty()) fail("a text that is not empty");
    if (has_control_characters(all, "\n\r\t")) fail("a text without control characters");
    return all;
}

std::string JsonValue::line(std::size_t most) const {
    std::string all = text();
    if (has_control_characters(all, "")) fail("a text of one line, without control characters");
    if (all.size() > most)
        fail_with(fmt::format("a text of {} bytes", all.size()), fmt::format("one of at most {}", most));
    return all;
}

double JsonValue::quantity(Dimension dimension, double low, double high) const {
    const std::string expected =
        fmt::format("{} from {} to {}, such as \"{}\"", noun_of(dimension), readable_quantity(low, dimension),
                    readable_quantity(high, dimension), example_of(dimension));
    if (!present() || !json->is_string()) fail(expected);
    const auto v = parse_quantity(json->get_ref<const std::string&>(), dimension);
    if (!v || !(*v >= low && *v <= high)) fail(expected);
    return *v + 0.0;  // -0 becomes 0
}

std::size_t JsonValue::choice(std::span<const std::string_view> names) const {
    const std::string expected = fmt::format("one of \"{}\"", fmt::join(names, "\", \""));
    if (!present() || !json->is_string()) fail(expected);
    const auto& text = json->get_ref<const std::string&>();
    const auto at = std::find(names.begin(), names.end(), text);
    if (at == names.end()) fail(expected + suggestion(text, names));
    return static_cast<std::size_t>(at - names.begin());
}

std::vector<JsonValue> JsonValue::elements(std::size_t low, std::size_t high) const {
    const std::string expected = low == high ? fmt::format("an array of {} elements", low)
                                             : fmt::format("an array of {} to {} elements", low, high);
    if (!present() || !json->is_array()) fail(expected);
    if (json->size() < low || json->size() > high) fail_with(fmt::format("an array of {}", json->size()), expected);
    std::vector<JsonValue> all;
    all.reserve(json->size());
    for (const auto& element : *json) all.push_back({&element, file, fmt::format("{}[{}]", path, all.size())});
    return all;
}

JsonValue JsonValue::member(std::string_view key) const {
    const auto at = json->find(key);
    return {at == json->end() ? nullptr : &*at, file, fmt::format("{}.{}", path, key)};
}

JsonValue JsonValue::element(std::size_t i) const { return {&(*json)[i], file, fmt::format("{}[{}]", path, i)}; }

JsonObject::JsonObject(JsonValue value, std::initializer_list<std::string_view> keys) : value_(std::move(value)) {
    require_object(keys);
    require_known(keys);
}

JsonObject::JsonObject(JsonValue value, std::string_view schema, std::initializer_list<std::string_view> keys)
    : value_(std::move(value)) {
    require_object(keys);
    const JsonValue found = (*this)["schema"];
    const std::string expected = fmt::format("\"{}\"", schema);
    if (found.present() && *found.json != schema) found.fail(expected);
    require_known(keys);  // before a missing key, which may be there misspelt
    if (!found.present()) found.fail(expected);
}

void JsonObject::require_object(std::initializer_list<std::string_view> keys) const {
    if (!value_.present() || !value_.json->is_object())
        value_.fail(fmt::format("an object (keys: {})", fmt::join(keys, ", ")));
}

void JsonObject::require_known(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, unused] : value_.json->items()) {
        if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
        const nlohmann::json name = key;
        value_.fail_with("the unknown key " + describe(&name),
                         fmt::format("only {}{}", fmt::join(keys, ", "), suggestion(key, {keys.begin(), keys.size()})));
    }
}

JsonValue JsonObject::operator[](std::string_view key) const { return value_.member(key); }

}  // namespace moesim
