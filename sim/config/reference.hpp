#pragma once
// What a document refers to: another document, embedded or named by a path.
#include <fmt/format.h>

#include <functional>
#include <string>

#include "base/error.hpp"
#include "config/json_object.hpp"
#include "config/json_text.hpp"

namespace moesim {

// A document that another one names by path, and the name that messages give it.
struct NamedDocument {
    std::string file;
    std::string text;
};
// Finds the document that a reference ("topology": "../x.json") means; throws InputError where it cannot.
using ResolveFile = std::function<NamedDocument(const std::string& reference)>;

// What `parse` makes of an embedded object, or of the file that a path names. Throws InputError.
template <class Parse>
auto embedded_or_named(const JsonValue& value, const ResolveFile& resolve, Parse parse) {
    if (value.present() && value.json->is_object()) return parse(*value.json, value.file, value.path);
    const std::string expected = "a path to a file, relative to this one, or the object itself";
    if (!value.present() || !value.json->is_string() || value.json->get_ref<const std::string&>().empty())
        value.fail(expected);
    const std::string reference = value.line(4096);
    NamedDocument document;
    try {
        document = resolve(reference);
    } catch (const InputError& e) {
        value.fail_with(fmt::format("\"{}\" ({})", clipped(reference), e.what()), expected);
    }
    return parse(parse_json(document.text, document.file), document.file, std::string("$"));
}

}  // namespace moesim
