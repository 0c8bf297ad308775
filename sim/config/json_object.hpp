#pragma once
// Typed, checked access to a JSON object. Every failure is an InputError of one form:
//   FILE: $.path.to.key: found WHAT, expected WHAT[; did you mean "key"?]
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
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
    // `why` says in a word or two what sets the bounds: "the GPUs of a node".
    [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high, std::string_view why = {}) const;
    [[nodiscard]] double number(double low, double high) const;  // both included
    [[nodiscard]] bool boolean() const;
    [[nodiscard]] std::string text() const;  // not empty; no control characters but line breaks and tabs
    [[nodiscard]] std::string line(
        std::size_t most = 200) const;  // a text of one line and at most that many bytes, as a name
    [[nodiscard]] double quantity(Dimension dimension, double low, double high) const;
    // One of `names`, by its index.
    [[nodiscard]] std::size_t choice(std::span<const std::string_view> names) const;
    [[nodiscard]] std::size_t choice(std::initializer_list<std::string_view> names) const {
        return choice(std::span(names.begin(), names.size()));
    }
    // The elements of an array of `low` to `high` elements.
    [[nodiscard]] std::vector<JsonValue> elements(std::size_t low, std::size_t high) const;
    // Of a value that is known to be an object, or to be an array of more than `i`; a member may be missing.
    [[nodiscard]] JsonValue member(std::string_view key) const;
    [[nodiscard]] JsonValue element(std::size_t i) const;
};

class JsonObject {
  public:
    // Throws unless `value` is an object whose keys are all among `keys`.
    JsonObject(JsonValue value, std::initializer_list<std::string_view> keys);
    // A whole document: the key "schema" must hold `schema`. It is looked at first, since a file of another kind is
    // told by it better than by its first unknown key.
    JsonObject(JsonValue value, std::string_view schema, std::initializer_list<std::string_view> keys);

    // The value under a key, which may be absent (present() tells).
    [[nodiscard]] JsonValue operator[](std::string_view key) const;
    [[nodiscard]] const JsonValue& value() const { return value_; }

  private:
    void require_object(std::initializer_list<std::string_view> keys) const;
    void require_known(std::initializer_list<std::string_view> keys) const;
    JsonValue value_;
};

}  // namespace moesim
