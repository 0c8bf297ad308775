#include "config/json_text.hpp"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "base/error.hpp"

namespace moesim {
namespace {

// "$.a.b[3]" of the place a SAX parser stands at.
struct Level {
    bool is_array = false;
    std::size_t index = 0;
    std::string key = {};
    std::set<std::string> seen = {};
};

// Checks what nlohmann's own reader lets pass; builds nothing.
class StrictCheck final : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit StrictCheck(const std::string& file) : file_(file) {}

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
        if (!top.seen.insert(k).second)
            throw InputError(fmt::format("{}: {}: found the key twice, expected it once", file_, path()));
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
        // nlohmann's text is "[json.exception.parse_error.101] parse error at line 1, column 2: what".
        const std::string_view all = error.what();
        const auto at = all.find("] ");
        throw InputError(fmt::format("{}: found {}, expected a JSON document (byte {})", file_,
                                     at == all.npos ? all : all.substr(at + 2), position));
    }

  private:
    bool value() {
        if (!levels_.empty() && levels_.back().is_array) ++levels_.back().index;
        return true;
    }
    bool open(bool is_array) {
        levels_.push_back({.is_array = is_array});
        if (static_cast<int>(levels_.size()) > max_json_depth) {
            levels_.pop_back();
            throw InputError(fmt::format("{}: {}: found nesting deeper than {} levels, expected less", file_, path(),
                                         max_json_depth));
        }
        return true;
    }
    bool close() {
        levels_.pop_back();
        return value();
    }
    [[nodiscard]] std::string path() const {
        std::string p = "$";
        for (const Level& l : levels_) p += l.is_array ? fmt::format("[{}]", l.index) : "." + l.key;
        return p;
    }

    const std::string& file_;
    std::vector<Level> levels_;
};

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& file) {
    StrictCheck check(file);
    nlohmann::json::sax_parse(text, &check);
    return nlohmann::json::parse(text);
}

}  // namespace moesim
