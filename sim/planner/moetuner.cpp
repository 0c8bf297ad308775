// MoETuner's second program: clusters to positions.
#include "planner/moetuner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "planner/placement_columns.hpp"

namespace moesim {
namespace {

// C[c1][c2] of each two adjacent layers. [layer - 1]
std::vector<Matrix<double>> between_clusters(const WorkloadCounts& w, const ExpertClusters& clusters) {
    std::vector<Matrix<double>> all;
    for (std::size_t l = 0; l + 1 < w.layers; ++l) {
        Matrix<double> c(clusters.count, clusters.count);
        for (std::size_t a = 0; a < w.experts; ++a)
            for (std::size_t b = 0; b < w.experts; ++b)
                c(clusters.cluster(l, a), clusters.cluster(l + 1, b)) += w.pairs[l](a, b);
        all.push_back(std::move(c));
    }
    return all;
}

// Of the pair of positions that takes longest; from, to: where the clusters, or experts, of two layers are.
double heaviest_pair(const Matrix<double>& tokens, std::span<const std::uint32_t> from,
                     std::span<const std::uint32_t> to, const Matrix<double>& seconds_per_byte) {
    Matrix<double> sum(seconds_per_byte.rows(), seconds_per_byte.cols());
    for (std::size_t a = 0; a < tokens.rows(); ++a)
        for (std::size_t b = 0; b < tokens.cols(); ++b) sum(from[a], to[b]) += tokens(a, b);
    double most = 0;
    for (std::size_t a = 0; a < sum.rows(); ++a)
        for (std::size_t b = 0; b < sum.cols(); ++b) most = std::max(most, sum(a, b) * seconds_per_byte(a, b));
    return most;
}

Matrix<std::uint32_t> at_positions(const ExpertClusters& clusters, const Matrix<std::uint32_t>& position) {
    Matrix<std::uint32_t> place(clusters.cluster.rows(), clusters.cluster.cols());
    for (std::size_t l = 0; l < place.rows(); ++l)
        for (std::size_t e = 0; e < place.cols(); ++e) place(l, e) = position(l, clusters.cluster(l, e));
    return place;
}

double fastest(const Matrix<double>& seconds_per_byte) {
    double least = 0;
    for (const double s : seconds_per_byte.values())
        if (s > 0 && (least == 0 || s < least)) least = s;
    return least > 0 ? least : 1;
}

// The program, whose columns after a[layer][cluster][position] are, for each pair of layers, the heaviest pair's time t
// and the products w[c1][g1][c2][g2] = a[c1][g1] a'[c2][g2].
class LabelProgram {
  public:
    // held: experts of all layers that a position may have.
    LabelProgram(const PlannerProblem& problem, const ExpertClusters& clusters,
                 const std::vector<Matrix<double>>& tokens, std::size_t held)
        : problem_(problem), tokens_(tokens), clusters_(clusters), unit_(fastest(problem.positions.seconds_per_byte)),
          a_(columns()) {
        check_program_size("moetuner: its second program",
                           std::pow(static_cast<double>(clusters.count * problem.positions.count()), 2) *
                               static_cast<double>(4 * problem.workload.layers));
        const std::size_t positions = problem.positions.count(), each = clusters.count / positions;
        a_.require_sizes(program_, std::vector<GroupSize>(positions, {each, each}));
        const std::size_t largest = *std::max_element(clusters.size.values().begin(), clusters.size.values().end());
        a_.require_at_most(program_, "slots", std::vector<std::size_t>(positions, problem.slots / largest));
        a_.require_memory(program_, std::vector<std::size_t>(positions, std::min(memory_limit(problem), held)),
                          clusters.size);
        like_ = alike(problem.positions.seconds_per_byte);
        a_.break_symmetry(program_, like_);
        for (std::size_t l = 0; l + 1 < problem.workload.layers; ++l) add_pair_of_layers(l);
    }

    [[nodiscard]] const IntegerProgram& program() const { return program_; }
    [[nodiscard]] Matrix<std::uint32_t> read(const std::vector<double>& x) const {
        const auto place = a_.place(x);
        Matrix<std::uint32_t> m(place.size(), clusters_.count);
        for (std::size_t l = 0; l < m.rows(); ++l) std::copy(place[l].begin(), place[l].end(), m.row(l).begin());
        return m;
    }
    [[nodiscard]] std::vector<double> start(const Matrix<std::uint32_t>& position) const {
        std::vector<std::vector<std::uint32_t>> place;
        for (std::size_t l = 0; l < position.rows(); ++l)
            place.emplace_back(position.row(l).begin(), position.row(l).end());
        rename_groups(place, like_);
        std::vector<double> x(program_.columns().size());
        a_.put(x, place);
        const std::size_t n = a_.groups(), k = clusters_.count;
        for (std::size_t l = 0; l < time_.size(); ++l) {
            Matrix<double> sum(n, n);
            for (std::size_t c1 = 0; c1 < k; ++c1)
                for (std::size_t c2 = 0; c2 < k; ++c2) {
                    const std::size_t g1 = place[l][c1], g2 = place[l + 1][c2];
                    x[product(l, c1, g1, c2, g2)] = 1;
                    sum(g1, g2) += tokens_[l](c1, c2) * problem_.positions.seconds_per_byte(g1, g2);
                }
            x[time_[l]] = *std::max_element(sum.values().begin(), sum.values().end()) / unit_;
        }
        return x;
    }

  private:
    PlacementColumns columns() {
        std::vector<std::size_t> all(clusters_.count);
        std::iota(all.begin(), all.end(), std::size_t{0});
        return {program_, std::vector<std::vector<std::size_t>>(problem_.workload.layers, all),
                problem_.positions.count()};
    }
    [[nodiscard]] std::size_t product(std::size_t l, std::size_t c1, std::size_t g1, std::size_t c2,
                                      std::size_t g2) const {
        const std::size_t n = a_.groups(), k = clusters_.count;
        return time_[l] + 1 + ((c1 * n + g1) * k + c2) * n + g2;
    }

    void add_pair_of_layers(std::size_t l) {
        const std::size_t n = a_.groups(), k = clusters_.count;
        time_.push_back(program_.add({fmt::format("t_l{}", l), 0, IntegerProgram::infinity, unit_, false}));
        for (std::size_t c1 = 0; c1 < k; ++c1)
            for (std::size_t g1 = 0; g1 < n; ++g1)
                for (std::size_t c2 = 0; c2 < k; ++c2)
                    for (std::size_t g2 = 0; g2 < n; ++g2)
                        program_.add({fmt::format("w_l{}_c{}_g{}_c{}_g{}", l, c1, g1, c2, g2), 0, 1, 0, false});
        // t is at least the time of every pair of positions.
        for (std::size_t g1 = 0; g1 < n; ++g1)
            for (std::size_t g2 = 0; g2 < n; ++g2) {
                const double time = problem_.positions.seconds_per_byte(g1, g2);
                if (time == 0) continue;
                std::vector<IntegerProgram::Term> terms{{time_[l], unit_ / time}};
                for (std::size_t c1 = 0; c1 < k; ++c1)
                    for (std::size_t c2 = 0; c2 < k; ++c2)
                        if (tokens_[l](c1, c2) > 0) terms.push_back({product(l, c1, g1, c2, g2), -tokens_[l](c1, c2)});
                program_.require("heaviest_pair", fmt::format("l{}_g{}_g{}", l, g1, g2), 0, std::move(terms),
                                 IntegerProgram::infinity);
            }
        // Products of 0/1 columns, each cluster being at one position: sum over g2 of w is a[c1][g1], sum over g1 of w
        // is a'[c2][g2] (Adams and Sherali, Management Science 32, 1986). With whole a, w can be nothing but the
        // product.
        for (std::size_t c1 = 0; c1 < k; ++c1)
            for (std::size_t c2 = 0; c2 < k; ++c2)
                for (std::size_t g = 0; g < n; ++g) {
                    std::vector<IntegerProgram::Term> from{{a_.at(l, c1, g), -1}}, to{{a_.at(l + 1, c2, g), -1}};
                    for (std::size_t other = 0; other < n; ++other) {
                        from.push_back({product(l, c1, g, c2, other), 1});
                        to.push_back({product(l, c1, other, c2, g), 1});
                    }
                    const std::string name = fmt::format("l{}_c{}_c{}_g{}", l, c1, c2, g);
                    program_.require("products", name + "_from", 0, std::move(from), 0);
                    program_.require("products", name + "_to", 0, std::move(to), 0);
                }
    }

    const PlannerProblem& problem_;
    const std::vector<Matrix<double>>& tokens_;  // [layer - 1][cluster][cluster]
    const ExpertClusters& clusters_;
    IntegerProgram program_;
    double unit_;  // of t: the time of a byte on the fastest pair, so that t counts tokens and not nanoseconds
    PlacementColumns a_;
    std::vector<std::size_t> like_;
    std::vector<std::size_t> time_;  // [layer - 1]: the column
};

// Experts of all layers at each position.  position: [layer][cluster]
std::vector<std::size_t> held_by(const ExpertClusters& clusters, const Matrix<std::uint32_t>& position,
                                 std::size_t positions) {
    std::vector<std::size_t> held(positions);
    for (std::size_t l = 0; l < position.rows(); ++l)
        for (std::size_t c = 0; c < clusters.count; ++c) held[position(l, c)] += clusters.size(l, c);
    return held;
}

// Clusters in their own order; uneven ones from the largest on, each to the position that has least so far.
Matrix<std::uint32_t> dealt_out(const ExpertClusters& clusters, std::size_t positions) {
    const std::size_t each = clusters.count / positions;
    Matrix<std::uint32_t> position(clusters.size.rows(), clusters.count);
    std::vector<std::size_t> held(positions), cluster(clusters.count), order(positions);
    for (std::size_t l = 0; l < position.rows(); ++l) {
        std::iota(cluster.begin(), cluster.end(), std::size_t{0});
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(cluster.begin(), cluster.end(),
                         [&](std::size_t a, std::size_t b) { return clusters.size(l, a) > clusters.size(l, b); });
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return held[a] < held[b]; });
        for (std::size_t i = 0; i < clusters.count; ++i) {
            position(l, cluster[i]) = static_cast<std::uint32_t>(order[i / each]);
            held[order[i / each]] += clusters.size(l, cluster[i]);
        }
    }
    return position;
}

// From `position` on swaps of two clusters of a layer, as long as one lowers the value; no position gets more than
// `most` experts.
Matrix<std::uint32_t> label_start(const Positions& positions, const std::vector<Matrix<double>>& tokens,
                                  const ExpertClusters& clusters, Matrix<std::uint32_t> position, std::size_t most) {
    std::vector<std::size_t> held = held_by(clusters, position, positions.count());
    // What a layer's labels decide.
    const auto around = [&](std::size_t l) {
        double sum = 0;
        for (const std::size_t pair : {l, l + 1})
            if (pair > 0 && pair <= tokens.size())
                sum += heaviest_pair(tokens[pair - 1], position.row(pair - 1), position.row(pair),
                                     positions.seconds_per_byte);
        return sum;
    };
    const auto swap = [&](std::size_t l, std::size_t a, std::size_t b) {
        for (const std::size_t c : {a, b}) held[position(l, c)] -= clusters.size(l, c);
        std::swap(position(l, a), position(l, b));
        for (const std::size_t c : {a, b}) held[position(l, c)] += clusters.size(l, c);
        return held[position(l, a)] <= most && held[position(l, b)] <= most;
    };
    for (bool better = true; better;) {
        better = false;
        for (std::size_t l = 0; l < position.rows(); ++l) {
            double best = around(l);
            for (std::size_t a = 0; a < clusters.count; ++a)
                for (std::size_t b = a + 1; b < clusters.count; ++b) {
                    const bool fits = swap(l, a, b);
                    const double value = around(l);
                    // Rounding may call a swap of nothing an improvement.
                    if (fits && value < best * (1 - 1e-12)) {
                        best = value;
                        better = true;
                    } else {
                        swap(l, a, b);
                    }
                }
        }
    }
    return position;
}

}  // namespace

double heaviest_pairs(const PlannerProblem& problem, const Matrix<std::uint32_t>& place) {
    double sum = 0;
    for (std::size_t l = 0; l + 1 < place.rows(); ++l)
        sum += heaviest_pair(problem.workload.pairs[l], place.row(l), place.row(l + 1),
                             problem.positions.seconds_per_byte);
    return sum;
}

ClusterLabels moetuner_labels(const PlannerProblem& problem, const ExpertClusters& clusters,
                              const MoetunerOptions& options, const ProgramEffort& effort) {
    const auto tokens = between_clusters(problem.workload, clusters);
    const std::size_t positions = problem.positions.count();
    Matrix<std::uint32_t> first = dealt_out(clusters, positions);
    const auto held = held_by(clusters, first, positions);
    // Equation 13 has all of them equal; where dealing out does not, what it reaches.
    const std::size_t most = *std::max_element(held.begin(), held.end());
    const LabelProgram p(problem, clusters, tokens, most);
    options.files.write(p.program(), "labels");
    SolveOptions search = effort.part(1);
    search.start = p.start(label_start(problem.positions, tokens, clusters, std::move(first), most));
    const Solution s = solve(p.program(), search);
    ClusterLabels labels{p.read(s.x)};
    labels.value = heaviest_pairs(problem, at_positions(clusters, labels.position));
    labels.bound = std::clamp(s.bound, 0.0, labels.value);
    labels.solved = s.optimal;
    return labels;
}

MoetunerResult moetuner_plan(const PlannerProblem& problem, const MoetunerOptions& options, const Effort& effort) {
    const ProgramEffort clock(effort);
    const ExpertClusters clusters = moetuner_clusters(problem, options, clock);
    const ClusterLabels labels = moetuner_labels(problem, clusters, options, clock);
    return {{Placement(at_positions(clusters, labels.position), problem.positions.count()),
             "s a byte of a token, of the heaviest pair of positions, summed over layers", labels.value, std::nullopt,
             clock.took(), !(clusters.solved && labels.solved)},
            clusters.load > 0 ? clusters.deviation / clusters.load : 0,
            labels.bound};
}

}  // namespace moesim
