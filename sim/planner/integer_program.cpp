#include "planner/integer_program.hpp"

#include <algorithm>
#include <cmath>

namespace moesim {

std::size_t IntegerProgram::add(Column column) {
    columns_.push_back(std::move(column));
    return columns_.size() - 1;
}

void IntegerProgram::require(const std::string& family, const std::string& name, double lower, std::vector<Term> terms,
                             double upper) {
    // Rows of a family come together, so the last one is most often it.
    std::size_t number = families_.size();
    while (number > 0 && families_[number - 1] != family) --number;
    if (number-- == 0) {
        families_.push_back(family);
        number = families_.size() - 1;
    }
    rows_.push_back({name, number, lower, upper, std::move(terms)});
}

void IntegerProgram::fix(std::size_t column, double value) { columns_[column].lower = columns_[column].upper = value; }

double IntegerProgram::value(std::span<const double> x) const {
    double sum = 0;
    for (std::size_t j = 0; j < columns_.size(); ++j) sum += columns_[j].cost * x[j];
    return sum;
}

double IntegerProgram::violation(std::span<const double> x) const {
    double worst = 0;
    for (std::size_t j = 0; j < columns_.size(); ++j) {
        worst = std::max({worst, columns_[j].lower - x[j], x[j] - columns_[j].upper});
        if (columns_[j].whole) worst = std::max(worst, std::abs(x[j] - std::round(x[j])));
    }
    for (const Row& row : rows_) {
        double sum = 0, scale = 1;
        for (const Term& t : row.terms) {
            sum += t.factor * x[t.column];
            scale = std::max(scale, std::abs(t.factor * x[t.column]));
        }
        for (const double bound : {row.lower, row.upper})
            if (std::isfinite(bound)) scale = std::max(scale, std::abs(bound));
        worst = std::max({worst, (row.lower - sum) / scale, (sum - row.upper) / scale});
    }
    return worst;
}

}  // namespace moesim
