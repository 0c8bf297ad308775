#include "planner/cbc.hpp"

#include <Cbc_C_Interface.h>
#include <fmt/format.h>
#include <CoinMpsIO.hpp>
#include <CoinPackedMatrix.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>

namespace moesim {
namespace {

using Model = std::unique_ptr<Cbc_Model, decltype(&Cbc_deleteModel)>;

// CBC's tolerances are absolute, and made for costs near 1 and above. A power of two keeps whole costs exact.
double cost_scale(const IntegerProgram& program) {
    double most = 0;
    for (const auto& column : program.columns()) most = std::max(most, std::abs(column.cost));
    if (most == 0 || (most >= 1 && most <= 1e6)) return 1;
    return std::exp2(10 - std::ilogb(most));
}

double finite(double bound) { return std::isinf(bound) ? std::copysign(1e300, bound) : bound; }

// A program as CBC takes it: by columns.
struct Arrays {
    std::vector<int> begin, index;
    std::vector<double> factor, lower, upper, cost, row_lower, row_upper;
};

Arrays arrays(const IntegerProgram& program, double scale) {
    const auto& columns = program.columns();
    const auto& rows = program.rows();
    Arrays a;
    a.begin.resize(columns.size() + 1);
    for (const auto& row : rows)
        for (const auto& term : row.terms) ++a.begin[term.column + 1];
    for (std::size_t j = 0; j < columns.size(); ++j) a.begin[j + 1] += a.begin[j];
    a.index.resize(static_cast<std::size_t>(a.begin.back()));
    a.factor.resize(a.index.size());
    auto next = a.begin;
    for (std::size_t i = 0; i < rows.size(); ++i)
        for (const auto& term : rows[i].terms) {
            const auto at = static_cast<std::size_t>(next[term.column]++);
            a.index[at] = static_cast<int>(i);
            a.factor[at] = term.factor;
        }
    for (const auto& c : columns) {
        a.lower.push_back(finite(c.lower));
        a.upper.push_back(finite(c.upper));
        a.cost.push_back(c.cost * scale);
    }
    for (const auto& r : rows) {
        a.row_lower.push_back(finite(r.lower));
        a.row_upper.push_back(finite(r.upper));
    }
    return a;
}

Model load(const IntegerProgram& program, double scale) {
    const auto& columns = program.columns();
    const auto& rows = program.rows();
    const Arrays a = arrays(program, scale);
    Model model(Cbc_newModel(), &Cbc_deleteModel);
    Cbc_setLogLevel(model.get(), 0);
    Cbc_loadProblem(model.get(), static_cast<int>(columns.size()), static_cast<int>(rows.size()), a.begin.data(),
                    a.index.data(), a.factor.data(), a.lower.data(), a.upper.data(), a.cost.data(), a.row_lower.data(),
                    a.row_upper.data());
    for (std::size_t j = 0; j < columns.size(); ++j) {
        if (columns[j].whole) Cbc_setInteger(model.get(), static_cast<int>(j));
        Cbc_setColName(model.get(), static_cast<int>(j), columns[j].name.c_str());
    }
    for (std::size_t i = 0; i < rows.size(); ++i)
        Cbc_setRowName(model.get(), static_cast<int>(i), program.full_name(rows[i]).c_str());
    return model;
}

void set(Cbc_Model* model, const char* name, const std::string& value) { Cbc_setParameter(model, name, value.c_str()); }

void set_options(Cbc_Model* model, const SolveOptions& options) {
    // CBC takes 0 as "by the clock", and is given an int.
    const std::string seed = std::to_string(options.seed % 1'000'000'000 + 1);
    set(model, "randomSeed", seed);
    set(model, "randomCbcSeed", seed);
    if (options.nodes) set(model, "maxNodes", std::to_string(std::min<std::int64_t>(*options.nodes, 2'000'000'000)));
    if (options.seconds) {
        set(model, "timeMode", "elapsed");
        set(model, "seconds", fmt::format("{:.6f}", std::max(*options.seconds, 1e-3)));
    }
    if (options.start.empty()) return;
    std::vector<int> columns(options.start.size());
    for (std::size_t j = 0; j < columns.size(); ++j) columns[j] = static_cast<int>(j);
    Cbc_setMIPStartI(model, static_cast<int>(columns.size()), columns.data(), options.start.data());
}

}  // namespace

CbcAnswer run_cbc(const IntegerProgram& program, const SolveOptions& options) {
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    const double scale = cost_scale(program);
    const Model model = load(program, scale);
    set_options(model.get(), options);
    Cbc_solve(model.get());

    const bool whole = std::any_of(program.columns().begin(), program.columns().end(), [](auto& c) { return c.whole; });
    const bool optimal = Cbc_isProvenOptimal(model.get()) != 0;
    CbcAnswer answer;
    Solution& s = answer.solution;
    const double* x = whole ? Cbc_bestSolution(model.get()) : optimal ? Cbc_getColSolution(model.get()) : nullptr;
    answer.no_solution = x == nullptr && (Cbc_isProvenInfeasible(model.get()) != 0 ||
                                          Cbc_isContinuousUnbounded(model.get()) != 0 || Cbc_status(model.get()) <= 0);
    s.value = IntegerProgram::infinity;
    s.bound = -IntegerProgram::infinity;
    if (answer.no_solution) return answer;
    // Before the first relaxation is solved, what CBC calls the best possible is none.
    const double best_possible = Cbc_getBestPossibleObjValue(model.get());
    if (Cbc_isInitialSolveProvenOptimal(model.get()) != 0 && std::abs(best_possible) < 1e49)
        s.bound = best_possible / scale;
    if (x == nullptr) return answer;
    s.optimal = optimal;
    s.x.assign(x, x + program.columns().size());
    for (std::size_t j = 0; j < s.x.size(); ++j)
        if (program.columns()[j].whole) s.x[j] = std::round(s.x[j]);
    s.value = program.value(s.x);
    s.bound = optimal ? s.value : std::min(s.bound, s.value);
    return answer;
}

namespace {

// By CoinUtils, since CBC's C interface compresses what it writes.
void write_mps(const IntegerProgram& program, const std::string& path) {
    const Arrays a = arrays(program, 1);
    const auto columns = static_cast<int>(program.columns().size()), rows = static_cast<int>(program.rows().size());
    const CoinPackedMatrix matrix(true, rows, columns, static_cast<CoinBigIndex>(a.index.size()), a.factor.data(),
                                  a.index.data(), a.begin.data(), nullptr);
    std::vector<std::string> column_names, row_names;
    std::vector<char> whole;
    for (const auto& c : program.columns()) {
        column_names.push_back(c.name);
        whole.push_back(c.whole ? 1 : 0);
    }
    for (const auto& r : program.rows()) row_names.push_back(program.full_name(r));
    CoinMpsIO file;
    file.messageHandler()->setLogLevel(0);
    file.setMpsData(matrix, finite(IntegerProgram::infinity), a.lower.data(), a.upper.data(), a.cost.data(),
                    whole.data(), a.row_lower.data(), a.row_upper.data(), column_names, row_names);
    file.writeMps(path.c_str(), 0);
}

}  // namespace

void write_program(const IntegerProgram& program, const std::string& path) {
    const std::filesystem::path file(path);
    // CBC ends the process where it cannot write.
    if (!std::ofstream(file)) throw InputError(fmt::format("{}: cannot be written", path));
    if (file.extension() == ".lp")  // CBC puts the ending there itself
        Cbc_writeLp(load(program, 1).get(), std::filesystem::path(path).replace_extension().c_str());
    else
        write_mps(program, path);
}

}  // namespace moesim
