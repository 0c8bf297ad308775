#pragma once
// Comma-separated values with a line of names, as measuring tools write them.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace moesim {

// Rows are read one after the other. Cells may be in quotation marks, within which commas stand for themselves and two
// marks for one. Every failure is an InputError: "FILE: line N: $.column: found ..., expected ...".
class CsvReader {
  public:
    // Reads the line of names. The text is referred to. Throws where a name comes twice, or there is no line.
    CsvReader(std::string_view text, std::string file);

    [[nodiscard]] bool has(std::string_view column) const;
    // The first of the names that the table has; throws where it has none of them.
    [[nodiscard]] std::string first_of(std::initializer_list<std::string_view> columns) const;
    // Goes on to the next row; false behind the last. Blank lines are passed over.
    bool next();
    // Of the row, from 1 on, the line of names included.
    [[nodiscard]] std::size_t line() const { return line_; }

    // Cells of the row, by their column, which the table has to have.
    [[nodiscard]] const std::string& text(std::string_view column) const;  // may be empty
    [[nodiscard]] std::int64_t whole(std::string_view column, std::int64_t low, std::int64_t high) const;
    [[nodiscard]] double number(std::string_view column, double low, double high) const;  // both included
    // A number above 0.
    [[nodiscard]] double positive(std::string_view column) const { return number(column, 1e-12, 1e12); }
    [[noreturn]] void refuse(std::string_view column, const std::string& expected) const;

  private:
    [[nodiscard]] std::size_t place(std::string_view column) const;
    std::vector<std::string> cut_cells(std::string_view line) const;
    std::string_view rest_;
    std::string file_;
    std::vector<std::string> names_, cells_;
    std::size_t line_ = 0;
};

}  // namespace moesim
