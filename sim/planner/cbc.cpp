#include "planner/cbc.hpp"

#include <fmt/format.h>

#include <CbcModel.hpp>
#include <CbcSolver.hpp>
#include <ClpEventHandler.hpp>
#include <ClpSimplex.hpp>
#include <CoinMpsIO.hpp>
#include <CoinPackedMatrix.hpp>
#include <OsiClpSolverInterface.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

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

void load(OsiClpSolverInterface& solver, const IntegerProgram& program, double scale) {
    const auto& columns = program.columns();
    const auto& rows = program.rows();
    const Arrays a = arrays(program, scale);
    solver.messageHandler()->setLogLevel(0);
    solver.getModelPtr()->setLogLevel(0);
    solver.loadProblem(static_cast<int>(columns.size()), static_cast<int>(rows.size()), a.begin.data(), a.index.data(),
                       a.factor.data(), a.lower.data(), a.upper.data(), a.cost.data(), a.row_lower.data(),
                       a.row_upper.data());
    solver.setIntParam(OsiNameDiscipline, 1);  // else it keeps no names
    for (std::size_t j = 0; j < columns.size(); ++j) {
        if (columns[j].whole) solver.setInteger(static_cast<int>(j));
        solver.setColName(static_cast<int>(j), columns[j].name);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) solver.setRowName(static_cast<int>(i), program.full_name(rows[i]));
}

// CBC looks at the clock between its steps only, and one of those, the first relaxation say, can take hours. Asked
// after every iteration of the simplex method, this ends the step. What CBC makes of an ended step is not to be
// relied on, so it remembers that it did.
class Deadline : public ClpEventHandler {
  public:
    Deadline(const std::optional<double>& seconds, bool& passed) : seconds_(seconds), passed_(&passed) {}
    int event(Event) override {
        constexpr int stop = 5, go_on = -1;
        if (!seconds_ || watch_.elapsed().value() < *seconds_) return go_on;
        *passed_ = true;
        return stop;
    }
    [[nodiscard]] ClpEventHandler* clone() const override { return new Deadline(*this); }  // CBC owns its clones

  private:
    std::optional<double> seconds_;
    bool* passed_;
    Stopwatch watch_;
};

// Log levels do not silence all parts of it.
class Quiet : public CoinMessageHandler {
  public:
    int print() override { return 0; }
    [[nodiscard]] CoinMessageHandler* clone() const override { return new Quiet(*this); }  // CBC owns its clones
};

// The arguments of CBC's own command line.
std::vector<std::string> arguments(const SolveOptions& options) {
    // CBC takes 0 as "by the clock", and is given an int.
    const std::string seed = std::to_string(options.seed % 1'000'000'000 + 1);
    std::vector<std::string> all{"moesim", "-randomSeed", seed, "-randomCbcSeed", seed};
    if (options.nodes)
        all.insert(all.end(), {"-maxNodes", std::to_string(std::min<std::int64_t>(*options.nodes, 2'000'000'000))});
    if (options.seconds)
        all.insert(all.end(),
                   {"-timeMode", "elapsed", "-seconds", fmt::format("{:.6f}", std::max(*options.seconds, 1e-3))});
    all.insert(all.end(), {"-solve", "-quit"});
    return all;
}

}  // namespace

CbcAnswer run_cbc(const IntegerProgram& program, const SolveOptions& options,
                  const std::function<void(const CbcAnswer&)>& relaxed) {
    const double scale = cost_scale(program);
    bool stopped = false;
    Deadline deadline(options.seconds, stopped);
    Quiet quiet;
    quiet.setLogLevel(0);
    OsiClpSolverInterface solver;
    solver.passInMessageHandler(&quiet);
    load(solver, program, scale);
    solver.getModelPtr()->passInEventHandler(&deadline);

    CbcAnswer answer;
    Solution& s = answer.solution;
    s.value = IntegerProgram::infinity;
    s.bound = -IntegerProgram::infinity;
    // The first relaxation by itself: what it proves holds whatever happens after it.
    solver.initialSolve();
    if (stopped) return answer;
    answer.no_solution = !solver.isProvenOptimal();
    if (answer.no_solution) return answer;
    s.bound = solver.getObjValue() / scale;

    const auto keep = [&](const double* x) {
        s.x.assign(x, x + program.columns().size());
        for (std::size_t j = 0; j < s.x.size(); ++j)
            if (program.columns()[j].whole) s.x[j] = std::round(s.x[j]);
        s.value = program.value(s.x);
    };
    if (solver.getNumIntegers() == 0) {
        keep(solver.getColSolution());
        s.optimal = true;
        s.bound = s.value;
        return answer;
    }
    if (relaxed) relaxed(answer);
    CbcModel model(solver);
    model.passInMessageHandler(&quiet);
    model.setLogLevel(0);
    CbcSolverUsefulData data;
    CbcMain0(model, data);
    model.setLogLevel(0);
    if (!options.start.empty()) {
        std::vector<std::pair<std::string, double>> start;
        for (std::size_t j = 0; j < options.start.size(); ++j)
            start.emplace_back(program.columns()[j].name, options.start[j]);
        model.setMIPStart(start);
    }
    const auto words = arguments(options);
    std::vector<const char*> pointers;
    pointers.reserve(words.size());
    for (const auto& word : words) pointers.push_back(word.c_str());
    CbcMain1(
        static_cast<int>(pointers.size()), pointers.data(), model, [](CbcModel*, int) { return 0; }, data);

    const double* x = model.bestSolution();
    if (x != nullptr) keep(x);
    s.optimal = x != nullptr && !stopped && model.isProvenOptimal();
    answer.no_solution = x == nullptr && !stopped && (model.isProvenInfeasible() || model.isContinuousUnbounded());
    if (s.optimal)
        s.bound = s.value;
    else if (const double best = model.getBestPossibleObjValue(); !stopped && std::abs(best) < 1e49)
        s.bound = std::max(s.bound, best / scale);
    s.bound = std::min(s.bound, s.value);
    return answer;
}

namespace {

void write_lp(const IntegerProgram& program, const std::string& path) {
    OsiClpSolverInterface solver;
    load(solver, program, 1);
    solver.writeLp(path.c_str());
}

// By CoinUtils, since the solver's own way compresses what it writes.
void write_mps(const IntegerProgram& program, const std::string& path) {
    const Arrays a = arrays(program, 1);
    const auto columns = static_cast<int>(program.columns().size()), rows = static_cast<int>(program.rows().size());
    const CoinPackedMatrix matrix(true, rows, columns, static_cast<CoinBigIndex>(a.index.size()), a.factor.data(),
                                  a.index.data(), a.begin.data(), nullptr);
    std::vector<std::string> full_names;
    for (const auto& r : program.rows()) full_names.push_back(program.full_name(r));
    std::vector<const char*> column_names, row_names;
    std::vector<char> whole;
    for (const auto& c : program.columns()) {
        column_names.push_back(c.name.c_str());
        whole.push_back(c.whole ? 1 : 0);
    }
    for (const auto& name : full_names) row_names.push_back(name.c_str());
    CoinMpsIO file;
    file.messageHandler()->setLogLevel(0);
    file.setMpsData(matrix, finite(IntegerProgram::infinity), a.lower.data(), a.upper.data(), a.cost.data(),
                    whole.data(), a.row_lower.data(), a.row_upper.data(), column_names.data(), row_names.data());
    file.writeMps(path.c_str(), 0);
}

}  // namespace

void write_program(const IntegerProgram& program, const std::string& path) {
    const std::filesystem::path file(path);
    // CBC ends the process where it cannot write.
    if (!std::ofstream(file)) throw InputError(fmt::format("{}: cannot be written", path));
    if (file.extension() == ".lp")  // it puts the ending there itself
        write_lp(program, std::filesystem::path(path).replace_extension().string());
    else
        write_mps(program, path);
}

}  // namespace moesim
