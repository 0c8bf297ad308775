#pragma once
// A mixed-integer linear program: what planners state, and what solve() takes.
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace moesim {

// Minimise the sum of cost x value over the columns, every row's sum of terms being within its bounds. Rows belong to
// named constraint families ("one_place", "memory"), so that a program without a solution can be explained. Names are
// what other solvers see: letters, digits and underscores, a letter first.
class IntegerProgram {
  public:
    static constexpr double infinity = std::numeric_limits<double>::infinity();
    struct Column {
        std::string name;
        double lower = 0, upper = infinity;
        double cost = 0;
        bool whole = false;  // takes whole values only
    };
    struct Term {
        std::size_t column;
        double factor;
    };
    struct Row {
        std::string name;    // within its family; full_name() for other solvers
        std::size_t family;  // its number in families()
        double lower, upper;
        std::vector<Term> terms;  // each column at most once
    };

    // Each returns the column's number.
    std::size_t add(Column column);
    std::size_t add_binary(std::string name, double cost = 0) { return add({std::move(name), 0, 1, cost, true}); }
    // name: unique within the family.
    void require(const std::string& family, const std::string& name, double lower, std::vector<Term> terms,
                 double upper);

    // Holds a column at a value, by its bounds.
    void fix(std::size_t column, double value);

    [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
    [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
    // In the order of their first rows.
    [[nodiscard]] const std::vector<std::string>& families() const { return families_; }

    [[nodiscard]] std::string full_name(const Row& row) const { return families_[row.family] + '_' + row.name; }

    [[nodiscard]] double value(std::span<const double> x) const;
    // How far the values are from keeping every bound, row and wholeness: the largest violation, each row's relative to
    // its largest term or bound where that is above 1.
    [[nodiscard]] double violation(std::span<const double> x) const;

  private:
    std::vector<Column> columns_;
    std::vector<Row> rows_;
    std::vector<std::string> families_;
};

}  // namespace moesim
