#include "planner/graph_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "planner/graph_partition.hpp"
#include "planner/placement_columns.hpp"
#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

// Some vertices (layer, expert), and the groups that they are dealt to.
class Dealing {
  public:
    // whole: of all experts; size: [layer][group].
    Dealing(const WeightedGraph& whole, std::size_t experts, std::vector<std::size_t> vertices,
            Matrix<std::size_t> size)
        : whole_(whole), experts_(experts), vertices_(std::move(vertices)), size_(std::move(size)),
          group_(whole.vertices(), none) {
        for (const std::size_t v : vertices_)
            for (const auto& e : whole_.edges(v)) within_ = within_ || e.to / experts_ == v / experts_;
    }

    // [vertex]: its group; of others, none.
    std::vector<std::uint32_t> run(double imbalance, std::uint64_t seed) {
        std::vector<std::size_t> index(whole_.vertices(), whole_.vertices());
        for (std::size_t i = 0; i < vertices_.size(); ++i) index[vertices_[i]] = i;
        Matrix<std::int32_t> weight(vertices_.size(), size_.rows());
        for (std::size_t i = 0; i < vertices_.size(); ++i) weight(i, vertices_[i] / experts_) = 1;
        WeightedGraph part(std::move(weight));
        for (std::size_t i = 0; i < vertices_.size(); ++i)
            for (const auto& e : whole_.edges(vertices_[i]))
                if (index[e.to] > i && index[e.to] < vertices_.size()) part.join(i, index[e.to], e.weight);
        std::vector<double> share(size_.cols());
        for (std::size_t l = 0; l < size_.rows(); ++l)
            for (std::size_t g = 0; g < size_.cols(); ++g) share[g] += static_cast<double>(size_(l, g));
        for (double& s : share) s /= static_cast<double>(std::max<std::size_t>(vertices_.size(), 1));
        const auto dealt = partition_graph(part, share, imbalance, seed);
        for (std::size_t i = 0; i < vertices_.size(); ++i) group_[vertices_[i]] = dealt[i];
        for (std::size_t l = 0; l < size_.rows(); ++l) repair(l);
        for (bool better = true; better;) {
            better = false;
            for (std::size_t l = 0; l < size_.rows(); ++l) better = swap_pairs(l) || better;
        }
        return group_;
    }

    static constexpr std::uint32_t none = 0xffffffff;

  private:
    // [group]: weight of a vertex's edges to it.
    [[nodiscard]] std::vector<double> pull(std::size_t vertex) const {
        std::vector<double> pull(size_.cols());
        for (const auto& e : whole_.edges(vertex))
            if (group_[e.to] != none) pull[group_[e.to]] += e.weight;
        return pull;
    }
    [[nodiscard]] std::vector<std::size_t> of_layer(std::size_t layer) const {
        std::vector<std::size_t> all;
        for (std::size_t v = layer * experts_; v < (layer + 1) * experts_; ++v)
            if (group_[v] != none) all.push_back(v);
        return all;
    }

    void repair(std::size_t layer) {
        const auto vertices = of_layer(layer);
        std::vector<std::ptrdiff_t> room(size_.cols());
        for (std::size_t g = 0; g < room.size(); ++g) room[g] = static_cast<std::ptrdiff_t>(size_(layer, g));
        for (const std::size_t v : vertices) --room[group_[v]];
        for (;;) {
            std::size_t mover = none;
            std::uint32_t to = 0;
            double best = 0;
            for (const std::size_t v : vertices) {
                if (room[group_[v]] >= 0) continue;
                const auto p = pull(v);
                for (std::uint32_t g = 0; g < room.size(); ++g) {
                    if (room[g] <= 0) continue;
                    const double gain = p[g] - p[group_[v]];
                    if (mover == none || gain > best) mover = v, to = g, best = gain;
                }
            }
            if (mover == none) return;
            ++room[group_[mover]];
            --room[to];
            group_[mover] = to;
        }
    }

    bool swap_pairs(std::size_t layer) {
        const auto vertices = of_layer(layer);
        std::vector<std::vector<double>> pulls;
        pulls.reserve(vertices.size());
        for (const std::size_t v : vertices) pulls.push_back(pull(v));
        bool better = false;
        for (std::size_t i = 0; i < vertices.size(); ++i)
            for (std::size_t j = i + 1; j < vertices.size(); ++j) {
                const std::uint32_t a = group_[vertices[i]], b = group_[vertices[j]];
                if (a == b) continue;
                double gain = pulls[i][b] - pulls[i][a] + pulls[j][a] - pulls[j][b];
                // An edge between the two is cut before and after, but was counted as gained from both ends.
                for (const auto& e : whole_.edges(vertices[i]))
                    if (e.to == vertices[j]) gain -= 2 * e.weight;
                if (gain <= 1e-9) continue;
                std::swap(group_[vertices[i]], group_[vertices[j]]);
                better = true;
                // Those of the layer that are joined to the two feel another pull.
                for (std::size_t k = 0; k < vertices.size(); ++k)
                    if (within_) pulls[k] = pull(vertices[k]);
            }
        return better;
    }

    const WeightedGraph& whole_;
    std::size_t experts_;
    std::vector<std::size_t> vertices_;
    Matrix<std::size_t> size_;
    std::vector<std::uint32_t> group_;
    bool within_ = false;  // edges join experts of one layer
};

WeightedGraph affinity_graph(const WorkloadCounts& w, double together) {
    WeightedGraph graph(Matrix<std::int32_t>(w.layers * w.experts, 1, 1));
    for (std::size_t l = 0; l < w.layers; ++l)
        for (std::size_t a = 0; a < w.experts; ++a) {
            for (std::size_t b = a + 1; together > 0 && b < w.experts; ++b)
                if (w.together[l](a, b) > 0)
                    graph.join(l * w.experts + a, l * w.experts + b, together * w.together[l](a, b));
            for (std::size_t b = 0; l + 1 < w.layers && b < w.experts; ++b)
                if (w.pairs[l](a, b) > 0) graph.join(l * w.experts + a, (l + 1) * w.experts + b, w.pairs[l](a, b));
        }
    return graph;
}

double cut_share(const WeightedGraph& graph, const std::vector<std::uint32_t>& group) {
    double all = 0, cut = 0;
    for (std::size_t v = 0; v < graph.vertices(); ++v)
        for (const auto& e : graph.edges(v)) {
            all += e.weight;
            if (group[v] != group[e.to]) cut += e.weight;
        }
    return all > 0 ? cut / all : 0;
}

// How many experts of each layer the positions hold; those of the even placement. [layer][position]
Matrix<std::size_t> sizes(const PlannerProblem& problem) {
    const auto even = even_start(problem);
    Matrix<std::size_t> size(even.rows(), problem.positions.count());
    std::vector<std::size_t> all(problem.positions.count());
    for (std::size_t l = 0; l < even.rows(); ++l)
        for (const std::uint32_t p : even.row(l)) {
            ++all[p];
            if (++size(l, p) > problem.slots)
                throw InputError(
                    fmt::format("graph: found {} slots on each of {} positions, expected room for {} experts",
                                problem.slots, problem.positions.count(), problem.workload.experts));
        }
    if (const std::size_t most = *std::max_element(all.begin(), all.end()); most > memory_limit(problem))
        throw InputError(fmt::format("graph: found memory for {} experts on a position, expected it for {}",
                                     memory_limit(problem), most));
    return size;
}

std::vector<std::uint32_t> deal(const PlannerProblem& problem, const WeightedGraph& graph,
                                const Matrix<std::size_t>& size, double imbalance, std::uint64_t seed) {
    const std::size_t nodes = problem.positions.nodes(), experts = problem.workload.experts;
    std::vector<std::vector<std::uint32_t>> members(nodes);
    for (std::uint32_t p = 0; p < problem.positions.count(); ++p) members[problem.positions.node[p]].push_back(p);
    Matrix<std::size_t> of_nodes(size.rows(), nodes);
    for (std::size_t l = 0; l < size.rows(); ++l)
        for (std::size_t p = 0; p < size.cols(); ++p) of_nodes(l, problem.positions.node[p]) += size(l, p);
    std::vector<std::size_t> all(graph.vertices());
    std::iota(all.begin(), all.end(), std::size_t{0});
    const auto node = Dealing(graph, experts, all, of_nodes).run(imbalance, seed);
    std::vector<std::uint32_t> position(graph.vertices());
    for (std::size_t n = 0; n < nodes; ++n) {
        std::vector<std::size_t> here;
        for (const std::size_t v : all)
            if (node[v] == n) here.push_back(v);
        Matrix<std::size_t> inside(size.rows(), members[n].size());
        for (std::size_t l = 0; l < size.rows(); ++l)
            for (std::size_t g = 0; g < members[n].size(); ++g) inside(l, g) = size(l, members[n][g]);
        const auto group = Dealing(graph, experts, here, inside).run(imbalance, seed);
        for (const std::size_t v : here) position[v] = members[n][group[v]];
    }
    return position;
}

}  // namespace

PlannerResult graph_plan(const PlannerProblem& problem, const GraphOptions& options, const Effort& effort) {
    const Stopwatch watch;
    const WeightedGraph graph = affinity_graph(problem.workload, options.together);
    const auto size = sizes(problem);
    std::vector<std::uint32_t> best;
    double value = 0;
    for (int i = 0; i < std::max(options.tries, 1); ++i) {
        if (i > 0 && effort.seconds && watch.elapsed().value() > *effort.seconds) break;
        const auto seed = stream_key(effort.seed, 72, static_cast<std::uint64_t>(i));
        auto position = deal(problem, graph, size, options.imbalance, seed);
        const double cut = cut_share(graph, position);
        if (best.empty() || cut < value) best = std::move(position), value = cut;
    }
    Matrix<std::uint32_t> place(problem.workload.layers, problem.workload.experts);
    for (std::size_t v = 0; v < best.size(); ++v) place(v / place.cols(), v % place.cols()) = best[v];
    return {Placement(place, problem.positions.count()), "share of what is chosen together that positions part", value,
            std::nullopt, watch.elapsed()};
}

}  // namespace moesim
