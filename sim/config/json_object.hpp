#pragma once
// Typed, checked access to a JSON object. Every failure is an InputError of one form:
//   FILE: $.path.to.key: found WHAT, expected WHAT[; did you mean "key"?]
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "config/quantity.hpp"

namespace moesim {

// A JSON value and where it stands. It refers to the document, which must outlive it.
struct JsonValue {
    const nlohmann::json* json = nullptr;  // null: not there
    std::string file;
    std::string path;  // "$.model.experts"

    [[noreturn]] void fail(const std::string& expected) const;  // "found <this>, expected <expected>"
    [[noreturn]] void fail_with(const std::string& found, const std::string& expected) const;
    [[nodiscard]] bool present() const { return json != nullptr; }

    // The value as what it must be; throws where it is not there, of another type, or out of range.
    [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const;
    [[nodiscard]] double number(double low, double high) const;  // both included
    [[nodiscard]] bool boolean() const;
    [[nodiscard]] std::string text() const;  // not empty
    [[nodiscard]] double quantity(Dimension dimension, double low, double high) const;
    // One of `names`, by its index.
    [[nodiscard]] std::size_t choice(std::initializer_list<std::string_view> names) const;
    // The elements of an array of `low` to `high` elements.
    [[nodiscard]] std::vector<JsonValue> elements(std::size_t low, std::size_t high) const;
};

class JsonObject {
  public:
    // Throws unless `value` is an object whose keys are all among `keys`.
    JsonObject(JsonValue value, std::initializer_list<std::string_view> keys);

    // The value under a key, which may be absent (present() tells).
    [[nodiscard]] JsonValue operator[](std::string_view key) const;
    // Throws unless the key "schema" holds `schema`.
    void require_schema(std::string_view schema) const;
    [[nodiscard]] const JsonValue& value() const { return value_; }

  private:
    JsonValue value_;
};

}  // namespace moesim
