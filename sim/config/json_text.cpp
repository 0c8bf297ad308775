#include "config/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace moesim {
namespace {

// One level of nesting around the place that a SAX parser stands at.
struct Level {
    bool is_array = false;
    std::size_t index = 0;
    std::optional<std::string> key = {};
    std::set<std::string> seen = {};
};

// "hidden" as it is, anything that a reader could take for something else in quotes.
std::string path_step(const std::string& key) {
    const bool plain = !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    return plain ? "." + key : fmt::format("[{}]", clipped(nlohmann::json(key).dump(-1, ' ', true)));
}

// What nlohmann says of an error, as what was found and what was expected. Its text is
// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while parsing object - unexpected end
// of input; expected '}'"; for a number that a double cannot hold, "[...] number overflow parsing '1e400'".
std::pair<std::string, std::string> explained(std::string_view what) {
    const auto drop_through = [&](std::string_view mark) {
        if (const auto at = what.find(mark); at != what.npos) what.remove_prefix(at + mark.size());
    };
    drop_through("] ");
    if (what.rfind("number overflow", 0) == 0) return {clipped(std::string(what)), "a number that a double can hold"};
    drop_through(" - ");
    if (what.rfind("unexpected ", 0) == 0) what.remove_prefix(11);
    constexpr std::string_view mark = "; expected ";
    const auto at = what.rfind(mark);
    const std::string found = clipped(std::string(what.substr(0, at)), 160);
    if (at == what.npos) return {found, "a JSON value"};
    const std::string expected(what.substr(at + mark.size()));
    return {found, expected == "'}'" || expected == "']'" ? "',' or " + expected : expected};
}

// Checks what nlohmann's own reader lets pass; builds nothing.
class StrictCheck final : public nlohmann::json_sax<nlohmann::json> {
  public:
    StrictCheck(std::string_view text, const std::string& file) : text_(text), file_(file) {}

    bool null() override { return value(); }
    bool boolean(bool) override { return value(); }
    bool number_integer(number_integer_t) override { return value(); }
    bool number_unsigned(number_unsigned_t) override { return value(); }
    bool number_float(number_float_t, const string_t&) override { return value(); }
    bool string(string_t&) override { return value(); }
    bool binary(binary_t&) override { return value(); }
    bool start_object(std::size_t) override { return open(false); }
    bool start_array(std::size_t) override { return open(true); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& k) override {
        Level& top = levels_.back();
        top.key = k;
        if (!top.seen.insert(k).second) fail("the key twice", "it once");
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        const auto [found, expected] = explained(error.what());
        fail(fmt::format("{} {}", found, place(position > 0 ? position - 1 : 0)), expected);
    }

    // nlohmann's reader takes a zero byte for the end of the text, and would not look at what follows.
    void require_no_zero_byte() const {
        if (const auto at = text_.find('\0'); at != text_.npos)
            fail(fmt::format("a zero byte {}", place(at)), "a JSON document");
    }

  private:
    // "in line 3, column 7" of a byte.
    [[nodiscard]] std::string place(std::size_t at) const {
        const std::string_view before = text_.substr(0, at);
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const auto column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
        return fmt::format("in line {}, column {}", line, column);
    }
    [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
        throw InputError(fmt::format("{}: {}: found {}, expected {}", file_, path(), found, expected));
    }
    bool value() {
        if (!levels_.empty() && levels_.back().is_array) ++levels_.back().index;
        return true;
    }
    bool open(bool is_array) {
        if (static_cast<int>(levels_.size()) == max_json_depth)
            fail(fmt::format("nesting deeper than {} levels", max_json_depth), "less");
        levels_.push_back({.is_array = is_array});
        return true;
    }
    bool close() {
        levels_.pop_back();
        return value();
    }
    [[nodiscard]] std::string path() const {
        std::string p = "$";
        for (const Level& l : levels_)
            if (l.is_array)
                p += fmt::format("[{}]", l.index);
            else if (l.key)
                p += path_step(*l.key);
        return p;
    }

    std::string_view text_;
    const std::string& file_;
    std::vector<Level> levels_;
};

}  // namespace

std::string clipped(std::string text, std::size_t most) {
    for (char& c : text)
        if (c < ' ' || c > '~') c = '?';
    if (text.size() > most) text = text.substr(0, most - 3) + "...";
    return text;
}

nlohmann::json parse_json(std::string_view text, const std::string& file) {
    if (text.find_first_not_of(" \t\r\n") == text.npos)
        throw InputError(fmt::format("{}: $: found an empty file, expected a JSON document", file));
    StrictCheck check(text, file);
    check.require_no_zero_byte();
    nlohmann::json::sax_parse(text, &check);
    return nlohmann::json::parse(text);
}

}  // namespace moesim
