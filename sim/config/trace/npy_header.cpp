#include "config/trace/npy_header.hpp"

#include <fmt/format.h>

#include <charconv>

#include "config/json_text.hpp"
#include "config/trace/refuse.hpp"

namespace moesim {
namespace {

// Reads the literal from its start; every step that finds something else throws.
class Literal {
  public:
    Literal(std::string_view text, const std::string& where) : rest_(text), where_(where) {}

    [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
        refuse(where_ + ": header", found, expected);
    }
    [[noreturn]] void fail_here(const std::string& expected) const {
        fail(rest_.empty() ? "its end" : fmt::format("`{}`", clipped(std::string(rest_.substr(0, 24)))), expected);
    }

    // Takes `word` if it comes next.
    bool take(std::string_view word) {
        skip_space();
        if (rest_.substr(0, word.size()) != word) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    void require(std::string_view word) {
        if (!take(word)) fail_here(fmt::format("`{}`", word));
    }
    void require_end() {
        skip_space();
        if (!rest_.empty()) fail_here("its end");
    }

    std::string quoted(const std::string& expected) {
        skip_space();
        if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) fail_here(expected);
        const auto end = rest_.find(rest_[0], 1);
        if (end == rest_.npos) fail_here(expected);
        std::string text(rest_.substr(1, end - 1));
        rest_.remove_prefix(end + 1);
        return text;
    }
    bool boolean() {
        if (take("True")) return true;
        if (!take("False")) fail_here("True or False");
        return false;
    }
    std::size_t size() {
        skip_space();
        std::size_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc()) fail_here("a size");
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        take("L");  // as Python 2 wrote it
        return value;
    }
    std::vector<std::size_t> tuple() {
        require("(");
        std::vector<std::size_t> all;
        while (!take(")")) {
            if (all.size() == 3) fail("more than 3 dimensions", "1 to 3");
            all.push_back(size());
            if (!take(",")) {
                if (all.size() == 1) fail_here("`,`, since (1) is no tuple");
                require(")");
                break;
            }
        }
        if (all.empty()) fail("no dimension", "1 to 3");
        return all;
    }

  private:
    void skip_space() {
        const auto at = rest_.find_first_not_of(" \n");
        rest_.remove_prefix(at == rest_.npos ? rest_.size() : at);
    }
    std::string_view rest_;
    const std::string& where_;
};

void read_type(Literal& in, NpyHeader& header) {
    constexpr const char* integers = "little-endian integers ('|u1', '<i2', ... '<i8')";
    if (in.take("[")) in.fail("a structured type", integers);
    header.descr = in.quoted("a type in quotes, such as '<u2'");
    const std::string& d = header.descr;
    const std::string found = fmt::format("the type '{}'", clipped(d));
    if (d.find('O') != d.npos) in.fail(found + " (Python objects, pickled; they are never unpickled here)", integers);
    const bool known =
        d.size() == 3 && (d[1] == 'u' || d[1] == 'i') && (d[2] == '1' || d[2] == '2' || d[2] == '4' || d[2] == '8');
    if (known && d[0] == '>') in.fail(found + " (big-endian)", integers);
    if (!known || !(d[0] == '<' || (d[0] == '|' && d[2] == '1'))) in.fail(found, integers);
    header.width = static_cast<std::size_t>(d[2] - '0');
    header.is_signed = d[1] == 'i';
}

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& where) {
    Literal in(text, where);
    NpyHeader header;
    bool has_order = false;
    in.require("{");
    while (!in.take("}")) {
        const std::string key = in.quoted("'descr', 'fortran_order' or 'shape'");
        in.require(":");
        const bool twice = (key == "descr" && header.width != 0) || (key == "fortran_order" && has_order) ||
                           (key == "shape" && !header.shape.empty());
        if (twice) in.fail(fmt::format("'{}' twice", key), "it once");
        if (key == "descr") {
            read_type(in, header);
        } else if (key == "fortran_order") {
            header.fortran_order = in.boolean();
            has_order = true;
        } else if (key == "shape") {
            header.shape = in.tuple();
        } else {
            in.fail(fmt::format("the key '{}'", clipped(key)), "'descr', 'fortran_order' or 'shape'");
        }
        if (!in.take(",")) {
            in.require("}");
            break;
        }
    }
    in.require_end();
    if (header.width == 0) in.fail("no 'descr'", "it");
    if (!has_order) in.fail("no 'fortran_order'", "it");
    if (header.shape.empty()) in.fail("no 'shape'", "it");
    return header;
}

}  // namespace moesim
