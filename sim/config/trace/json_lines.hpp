#pragma once
// Texts of several JSON documents, one a line, and rows of ids inside of a document.
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "config/trace/trace_builder.hpp"

namespace moesim {

// The largest JSON document, a line or all of the file, of which a tree is made.
inline constexpr std::size_t max_document_bytes = std::size_t{256} << 20;

// Calls take(document, where) for each line that is not blank; `where` is "FILE: line 3". Throws InputError.
void for_each_json_line(std::string_view text, const std::string& file,
                        const std::function<void(const nlohmann::json&, const std::string&)>& take);

// Whether the text is JSON lines: its first line is a document, and more follows.
bool is_json_lines(std::string_view text);

// The same for a text that may also be one document; `where` is then "FILE".
void for_each_document(std::string_view text, const std::string& file,
                       const std::function<void(const nlohmann::json&, const std::string&)>& take);

// A row of `top_k` ids to the builder. `place` tells where the row stands; throws InputError there.
void add_json_row(TraceBuilder& builder, const nlohmann::json& row, std::size_t top_k,
                  const std::function<std::string()>& place);

}  // namespace moesim
