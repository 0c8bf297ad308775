#include "planner/crossing_program.hpp"

#include <fmt/format.h>

namespace moesim {
namespace {

// R >= x[a][g] - x[b][g] and R >= x[b][g] - x[a][g] for every group g: 1 where a and b are apart.
void require_crossing(IntegerProgram& program, const PlacementColumns& x, std::size_t r, const std::string& name,
                      std::size_t layer, std::size_t a, std::size_t b) {
    for (std::size_t g = 0; g < x.groups(); ++g)
        for (const double sign : {1.0, -1.0})
            program.require("crossing", fmt::format("{}_g{}{}", name, g, sign > 0 ? "from" : "to"), 0,
                            {{r, 1}, {x.at(layer, a, g), -sign}, {x.at(layer + 1, b, g), sign}},
                            IntegerProgram::infinity);
}

void add_tokens(CrossingProgram& p, const CrossingCase& c) {
    for (std::size_t l = 0; l < c.tokens.size(); ++l)
        for (std::size_t t = 0; t < c.tokens[l].size(); ++t) {
            const std::string name = fmt::format("t{}_l{}", t, l);
            const auto [a, b] = c.tokens[l][t];
            require_crossing(p.program, p.x, p.program.add({"R_" + name, 0, 1, 1, false}), name, l, a, b);
        }
}

// Sum of y over one expert's row (or column): the experts of the other layer that are not in its group. Those in it are
// as many as the group's size, so with x of the expert: others - most <= sum y <= others - least.
void require_sum(CrossingProgram& p, const CrossingCase& c, const std::string& name, std::size_t layer,
                 std::size_t expert, std::vector<IntegerProgram::Term> sum, std::size_t others) {
    for (const bool least : {true, false}) {
        auto terms = sum;
        bool same = true;
        for (std::size_t g = 0; g < c.sizes.size(); ++g) {
            same = same && c.sizes[g].least == c.sizes[g].most;
            const std::size_t size = least ? c.sizes[g].least : c.sizes[g].most;
            if (size > 0) terms.push_back({p.x.at(layer, expert, g), static_cast<double>(size)});
        }
        const auto all = static_cast<double>(others);
        if (same) return p.program.require("crossing_sums", name, all, std::move(terms), all);
        if (least)
            p.program.require("crossing_sums", name + "_upper", -IntegerProgram::infinity, std::move(terms), all);
        else
            p.program.require("crossing_sums", name + "_lower", all, std::move(terms), IntegerProgram::infinity);
    }
}

void add_counts(CrossingProgram& p, const CrossingCase& c, bool strengthened) {
    for (std::size_t l = 0; l < c.flow.size(); ++l) {
        const std::size_t from = c.flow[l].rows(), to = c.flow[l].cols();
        std::vector<std::vector<IntegerProgram::Term>> row(from), column(to);
        for (std::size_t a = 0; a < from; ++a)
            for (std::size_t b = 0; b < to; ++b) {
                if (c.flow[l](a, b) == 0 && !strengthened) continue;
                const std::string name = fmt::format("{}_{}", p.x.name(l, a), p.x.name(l + 1, b));
                const std::size_t y = p.program.add({"y_" + name, 0, 1, c.flow[l](a, b), false});
                require_crossing(p.program, p.x, y, name, l, a, b);
                row[a].push_back({y, 1});
                column[b].push_back({y, 1});
            }
        if (!strengthened) continue;
        for (std::size_t a = 0; a < from; ++a)
            require_sum(p, c, fmt::format("{}_next", p.x.name(l, a)), l, a, row[a], to);
        for (std::size_t b = 0; b < to; ++b)
            require_sum(p, c, fmt::format("{}_before", p.x.name(l + 1, b)), l + 1, b, column[b], from);
    }
}

// The columns after x, for a placement.
void put_crossings(std::vector<double>& values, const CrossingCase& c, CrossingForm form, bool strengthened,
                   const std::vector<std::vector<std::uint32_t>>& place, std::size_t next) {
    const auto put = [&](std::size_t l, std::size_t a, std::size_t b) {
        values[next++] = place[l][a] == place[l + 1][b] ? 0 : 1;
    };
    if (form == CrossingForm::tokens) {
        for (std::size_t l = 0; l < c.tokens.size(); ++l)
            for (const auto& [a, b] : c.tokens[l]) put(l, a, b);
        return;
    }
    for (std::size_t l = 0; l < c.flow.size(); ++l)
        for (std::size_t a = 0; a < c.flow[l].rows(); ++a)
            for (std::size_t b = 0; b < c.flow[l].cols(); ++b)
                if (strengthened || c.flow[l](a, b) != 0) put(l, a, b);
}

}  // namespace

CrossingProgram crossing_program(const CrossingCase& c, CrossingForm form, bool strengthened) {
    IntegerProgram program;
    const PlacementColumns x(program, c.experts, c.sizes.size());
    x.require_sizes(program, c.sizes);
    x.require_at_most(program, "slots", c.slots);
    x.require_memory(program, c.memory);
    CrossingProgram p{std::move(program), x, {}};
    const std::size_t placed = p.program.columns().size();
    auto start = c.start;
    if (strengthened) {
        std::vector<std::size_t> like;
        for (std::size_t g = 0; g < c.sizes.size(); ++g) {
            std::size_t first = 0;
            while (c.sizes[first] != c.sizes[g] || c.slots[first] != c.slots[g] || c.memory[first] != c.memory[g])
                ++first;
            like.push_back(first);
        }
        x.break_symmetry(p.program, like);
        rename_groups(start, like);
    }
    if (form == CrossingForm::tokens)
        add_tokens(p, c);
    else
        add_counts(p, c, strengthened);
    p.start.resize(p.program.columns().size());
    x.put(p.start, start);
    put_crossings(p.start, c, form, strengthened, start, placed);
    return p;
}

}  // namespace moesim
