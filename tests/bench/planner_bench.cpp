// How fast planners are, each against a plainer way to the same answer in the same run. Prints a table; asserts
// nothing.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "base/random.hpp"
#include "planner/affinity_search.hpp"
#include "planner/cluster_labels.hpp"
#include "planner/eplb.hpp"
#include "planner/partition_program.hpp"
#include "planner/stopwatch.hpp"

namespace {

using namespace moesim;

double best_of(int times, const std::function<void()>& work) {
    double best = 1e300;
    for (int i = 0; i < times; ++i) {
        const Stopwatch watch;
        work();
        best = std::min(best, watch.elapsed().value());
    }
    return best;
}

void print_row(const char* what, double seconds, const char* baseline, double base) {
    fmt::print("  {:64} {:9.3f} ms  {:7.2f}x of {}\n", what, seconds * 1e3, seconds / base, baseline);
    std::fflush(stdout);
}

Matrix<double> skewed_load(std::size_t layers, std::size_t experts) {
    RandomStream random(stream_key(1, 1), 0);
    Matrix<double> load(layers, experts);
    for (std::size_t l = 0; l < layers; ++l)
        for (double& w : load.row(l)) w = std::floor(100 * std::exp(random.normal()));
    return load;
}

std::vector<Matrix<double>> skewed_flow(std::size_t layers, std::size_t experts) {
    RandomStream random(stream_key(2, 1), 0);
    std::vector<Matrix<double>> flow(layers - 1, Matrix<double>(experts, experts));
    for (auto& f : flow)
        for (std::size_t e = 0; e < experts; ++e)
            for (double& w : f.row(e)) w = std::floor(10 * std::exp(2 * random.normal()));
    return flow;
}

// What any balancer does at least: sort the experts of each layer.
void sort_layers(const Matrix<double>& load) {
    std::vector<double> row;
    for (std::size_t l = 0; l < load.rows(); ++l) {
        row.assign(load.row(l).begin(), load.row(l).end());
        std::sort(row.begin(), row.end(), std::greater<>());
    }
}

}  // namespace

int main() {
    fmt::print("planners; times against a baseline of the same run\n");
    const Matrix<double> load = skewed_load(58, 256);
    const double sorted = best_of(20, [&] { sort_layers(load); });
    print_row("EPLB, 58 layers x 256 experts -> 320 on 64 GPUs, global",
              best_of(20,
                      [&] {
                          eplb(load, {320, 1, 1, 64});
                      }),
              "sorting the loads", sorted);
    print_row("  hierarchical, 8 groups, 8 nodes",
              best_of(20,
                      [&] {
                          eplb(load, {320, 8, 8, 64});
                      }),
              "sorting the loads", sorted);

    for (const std::size_t gpus : {4U, 8U}) {
        const auto flow = skewed_flow(32, 8);
        PlannerProblem p;
        p.workload.layers = 32, p.workload.experts = 8;
        p.workload.load = Matrix<double>(32, 8, 1), p.workload.first = flow;
        p.positions.node.assign(gpus, 0);
        AffinityOptions options;
        options.exact = false;
        const double searched = best_of(3, [&] { affinity_plan(p, options, {0, {}, 1'000'000}); });
        print_row(gpus == 4 ? "exact affinity, 8 experts x 32 layers, 4 GPUs" : "  8 GPUs",
                  best_of(10,
                          [&] {
                              least_crossing(flow, {8, 1, gpus}, {}, {});
                          }),
                  "a million proposals", searched);
    }

    const auto flow = skewed_flow(26, 64);
    Matrix<std::uint32_t> place(26, 64);
    for (std::size_t l = 0; l < 26; ++l)
        for (std::size_t e = 0; e < 64; ++e) place(l, e) = static_cast<std::uint32_t>(e * (2 * l + 1) % 64 / 8);
    double share = 0;
    const Matrix<double> one(8, 8, 1);
    const double read = best_of(20, [&] { share += crossing_share(flow, place, one); });
    print_row("labels of 8 clusters x 26 layers on 8 GPUs", best_of(20, [&] { label_clusters(flow, place, 1, 8, {}); }),
              "adding up all flows once", read);
    print_row("  on 2 nodes of 4",
              best_of(5,
                      [&] {
                          label_clusters(flow, place, 2, 4, {1, 4});
                      }),
              "adding up all flows once", read);
    return share > 0 ? 0 : 1;
}
