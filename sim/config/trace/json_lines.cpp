#include "config/trace/json_lines.hpp"

#include <fmt/format.h>

#include <limits>

#include "base/error.hpp"
#include "config/json_object.hpp"
#include "config/json_text.hpp"

namespace moesim {
namespace {

constexpr std::string_view space = " \t\r\n";

void check_size(std::string_view text, const std::string& where) {
    if (text.size() > max_document_bytes)
        throw InputError(fmt::format("{}: $: found a document of {} bytes, expected at most {}; write one a line",
                                     where, text.size(), max_document_bytes));
}

nlohmann::json parse_line(std::string_view line, const std::string& where) {
    check_size(line, where);
    try {
        return parse_json(line, where);
    } catch (const InputError& error) {
        // The document's own first line would be taken for the file's.
        std::string what = error.what();
        constexpr std::string_view own = "in line 1, column";
        if (const auto at = what.find(own); at != what.npos) what.replace(at, own.size(), "in column");
        throw InputError(what);
    }
}

}  // namespace

void for_each_json_line(std::string_view text, const std::string& file,
                        const std::function<void(const nlohmann::json&, const std::string&)>& take) {
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.find_first_not_of(space) == line.npos) continue;
        const std::string where = fmt::format("{}: line {}", file, number);
        take(parse_line(line, where), where);
    }
}

bool is_json_lines(std::string_view text) {
    const auto begin = text.find_first_not_of(space);
    if (begin == text.npos) return false;
    text.remove_prefix(begin);
    const std::string_view line = text.substr(0, text.find('\n'));
    return text.find_first_not_of(space, line.size()) != text.npos && line.size() <= max_document_bytes &&
           nlohmann::json::accept(line);
}

void for_each_document(std::string_view text, const std::string& file,
                       const std::function<void(const nlohmann::json&, const std::string&)>& take) {
    if (is_json_lines(text)) return for_each_json_line(text, file, take);
    check_size(text, file);
    take(parse_json(text, file), file);
}

void add_json_row(TraceBuilder& builder, const nlohmann::json& row, std::size_t top_k,
                  const std::function<std::string()>& place) {
    const auto fail = [](const std::string& where, const nlohmann::json& found, const std::string& expected) {
        const auto colon = where.rfind(": ");
        JsonValue{&found, where.substr(0, colon), where.substr(colon + 2)}.fail(expected);
    };
    if (!row.is_array()) fail(place(), row, fmt::format("an array of {} (experts)", top_k));
    if (row.size() != top_k)
        throw InputError(
            fmt::format("{}: found an array of {}, expected one of {} (experts)", place(), row.size(), top_k));
    std::vector<std::int64_t> ids;
    ids.reserve(top_k);
    for (const auto& id : row) {
        if (!id.is_number_integer()) fail(fmt::format("{}[{}]", place(), ids.size()), id, "an integer");
        const bool huge = id.is_number_unsigned() && id.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
        ids.push_back(huge ? INT64_MAX : id.get<std::int64_t>());
    }
    builder.add_row(ids, [&](std::size_t i) { return fmt::format("{}[{}]", place(), i); });
}

}  // namespace moesim
