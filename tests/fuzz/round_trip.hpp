#pragma once
// What all targets that read JSON check.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.hpp"
#include "config/json_text.hpp"

namespace moesim::fuzz {

// Any text is refused with an InputError or taken; what is taken is written as a text that reads back to the same
// value. Everything else ends the process: another exception, none where it is due, a sanitizer's finding.
template <class Parse>
void check_round_trip(std::string_view text, Parse parse) {
    decltype(parse(nlohmann::json())) value;
    try {
        value = parse(parse_json(text, "input"));
    } catch (const InputError&) {
        return;
    }
    const nlohmann::ordered_json document = to_json(value);
    if (!(parse(parse_json(document.dump(), "written")) == value)) std::abort();
}

// The same for a format that is only read: what is taken is written as JSON that reads back to the same value.
template <class Read, class Parse>
void check_import(std::string_view text, Read read, Parse parse) {
    decltype(read(text)) value;
    try {
        value = read(text);
    } catch (const InputError&) {
        return;
    }
    const nlohmann::ordered_json document = to_json(value);
    if (!(parse(parse_json(document.dump(), "written")) == value)) std::abort();
}

inline std::string_view view(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

}  // namespace moesim::fuzz
