// How far the CPU's operations are from what the machine can do at all. Every figure has its floor beside it, measured
// in the same run: the bytes that have to be touched at the rate at which memcpy touches them, or the arithmetic at the
// rate of one large product of matrices. `ratio` is floor / time: 1 is as fast as can be.
//
// moesim_kernel_bench [--benchmark_filter=...]: one thread unless MOESIM_BENCH_THREADS says otherwise.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>

#include "base/random.hpp"
#include "kernels/cpu/backend.hpp"

namespace {

using namespace moesim;
using namespace moesim::kernels;

struct Setting {
    std::unique_ptr<Backend> backend;
    std::unique_ptr<Stream> stream;
    int threads;
};

int threads_wanted() {
    const char* const text = std::getenv("MOESIM_BENCH_THREADS");
    return text == nullptr ? 1 : std::atoi(text);
}

Setting& setting() {
    static Setting s = [] {
        Setting made{make_cpu_backend({threads_wanted(), 0, 0}), nullptr, threads_wanted()};
        made.stream = made.backend->make_stream();
        return made;
    }();
    return s;
}

double seconds(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Runs `work` and what it is held against in turn, so that both meet the same load of a machine that does other things
// as well; the ratio is that of the fastest of each.
void against(benchmark::State& state, const std::function<void()>& work, const std::function<void()>& baseline,
             double work_per_baseline) {
    double best = 1e30, best_baseline = 1e30;
    for (auto _ : state) {
        const double time = seconds(work);
        state.SetIterationTime(time);
        best = std::min(best, time);
        best_baseline = std::min(best_baseline, seconds(baseline));
    }
    state.counters["ratio"] = best_baseline * work_per_baseline / best;
    state.counters["best_ms"] = best * 1e3;
}

Matrix random_table(Scalar scalar, std::int64_t rows, std::int64_t cols) {
    RandomStream random(stream_key(1, 93), static_cast<std::uint64_t>(rows));
    std::vector<float> numbers(static_cast<std::size_t>(rows * cols));
    for (float& x : numbers) x = static_cast<float>(random.uniform() - 0.5);
    return upload(*setting().backend, *setting().stream, scalar, rows, cols, numbers);
}

std::vector<std::int32_t> permutation(std::int64_t n) {
    RandomStream random(stream_key(2, 93), 0);
    std::vector<std::int32_t> p(static_cast<std::size_t>(n));
    std::iota(p.begin(), p.end(), 0);
    for (std::size_t i = p.size(); i > 1; --i) std::swap(p[i - 1], p[random.below(static_cast<std::uint32_t>(i))]);
    return p;
}
Array<std::int32_t> on_device(const std::vector<std::int32_t>& numbers) {
    return upload<std::int32_t>(*setting().backend, *setting().stream, numbers);
}

// One memcpy of a table, which touches twice its bytes; each thread copies its part.
class Memcpy {
  public:
    explicit Memcpy(std::int64_t bytes)
        : from_(*setting().backend, bytes), to_(*setting().backend, bytes), threads_(setting().threads) {
        setting().stream->fill_bytes(from_.view().data, 1, bytes);
        setting().stream->fill_bytes(to_.view().data, 1, bytes);
    }
    void operator()() {
        const auto bytes = static_cast<std::size_t>(from_.size());
        const std::size_t parts = static_cast<std::size_t>(threads_);
#pragma omp parallel for num_threads(threads_)
        for (std::size_t i = 0; i < parts; ++i) {
            const std::size_t begin = bytes * i / parts, end = bytes * (i + 1) / parts;
            std::memcpy(to_.view().data + begin, from_.view().data + begin, end - begin);
        }
    }
    [[nodiscard]] double touched() const { return 2.0 * static_cast<double>(from_.size()); }

  private:
    Array<char> from_, to_;
    int threads_;
};

constexpr std::int64_t hidden = 4096;

void pack(benchmark::State& state, Scalar scalar, Scalar packed, ScaleBlock block) {
    const std::int64_t rows = state.range(0);
    const Matrix tokens = random_table(scalar, rows, hidden);
    Matrix values(*setting().backend, packed, rows, hidden), scales(*setting().backend, Scalar::fp32, rows, 32);
    MatrixView scale_view = scales.view();
    scale_view.cols = scale_columns(hidden, block);
    const auto choice = on_device(permutation(rows));
    const PackedView out(values.view(), block, scale_view);
    const auto work = [&] { setting().backend->operations().pack(*setting().stream, tokens.view(), choice.view(), 1, out); };
    Memcpy copy(rows * hidden * bytes_of(scalar));
    work();
    against(state, work, [&] { copy(); }, static_cast<double>(tokens.view().bytes() + values.view().bytes()) / copy.touched());
}

void unpack(benchmark::State& state, Scalar scalar, Scalar packed, ScaleBlock block) {
    const std::int64_t rows = state.range(0);
    const Matrix tokens = random_table(scalar, rows, hidden);
    Matrix values(*setting().backend, packed, rows, hidden), scales(*setting().backend, Scalar::fp32, rows, 32);
    MatrixView scale_view = scales.view();
    scale_view.cols = scale_columns(hidden, block);
    const auto slot = on_device(permutation(rows));
    Operations& operations = setting().backend->operations();
    operations.pack(*setting().stream, tokens.view(), slot.view(), 1, {values.view(), block, scale_view});
    Matrix out(*setting().backend, scalar, rows, hidden);
    const auto work = [&] {
        operations.unpack(*setting().stream, {values.view(), block, scale_view}, slot.view(), out.view());
    };
    Memcpy copy(rows * hidden * bytes_of(scalar));
    work();
    against(state, work, [&] { copy(); }, static_cast<double>(out.view().bytes() + values.view().bytes()) / copy.touched());
}

void combine(benchmark::State& state, Scalar scalar) {
    const std::int64_t tokens = state.range(0), width = state.range(1);
    const Matrix results = random_table(scalar, tokens * width, hidden);
    const auto slot = on_device(permutation(tokens * width));
    const std::vector<float> half(static_cast<std::size_t>(tokens * width), 0.5F);
    const auto weights = upload<float>(*setting().backend, *setting().stream, half);
    Matrix out(*setting().backend, scalar, tokens, hidden);
    const auto work = [&] {
        setting().backend->operations().combine(*setting().stream, results.view(), slot.view(), weights.view(), out.view());
    };
    Memcpy copy(results.view().bytes());
    work();
    against(state, work, [&] { copy(); }, static_cast<double>(results.view().bytes() + out.view().bytes()) / copy.touched());
}

void residual(benchmark::State& state, Scalar scalar) {
    const std::int64_t rows = state.range(0);
    const Matrix a = random_table(scalar, rows, hidden), b = random_table(scalar, rows, hidden);
    Matrix out(*setting().backend, scalar, rows, hidden);
    const auto work = [&] {
        setting().backend->operations().add_residual(*setting().stream, a.view(), b.view(), out.view());
    };
    Memcpy copy(a.view().bytes());
    work();
    against(state, work, [&] { copy(); }, 1.5);
}

// The ratio is to 5 million tokens a second and core.
void select(benchmark::State& state, const Selection& rules) {
    constexpr std::int64_t tokens = 16'384;
    const std::int64_t experts = state.range(0);
    Selection selection = rules;
    selection.top_k = state.range(1);
    const Matrix logits = random_table(Scalar::fp32, tokens, experts);
    const std::vector<float> zeros(static_cast<std::size_t>(experts), 0.01F);
    const auto bias = upload<float>(*setting().backend, *setting().stream, zeros);
    if (rules.score == Score::sigmoid) selection.bias = bias.view();
    Array<ExpertIndex> chosen(*setting().backend, tokens * selection.top_k);
    Array<float> weights(*setting().backend, tokens * selection.top_k);
    const RoutingView out(tokens, selection.top_k, chosen.view(), weights.view());
    double best = 1e30;
    for (auto _ : state) {
        const double time = seconds(
            [&] { setting().backend->operations().select(*setting().stream, selection, logits.view(), out); });
        state.SetIterationTime(time);
        best = std::min(best, time);
    }
    state.counters["Mtokens_per_s"] = static_cast<double>(tokens) / best * 1e-6;
    state.counters["ratio"] = static_cast<double>(tokens) / best / (5e6 * setting().threads);
}

// The ratio is to a sort that touches ids and both maps once at the rate of memcpy.
void order(benchmark::State& state) {
    const std::int64_t tokens = state.range(0), width = 8, experts = 256, ranks = 32, choices = tokens * width;
    RandomStream random(stream_key(3, 93), 0);
    std::vector<ExpertIndex> ids(static_cast<std::size_t>(choices));
    for (ExpertIndex& e : ids) e = static_cast<ExpertIndex>(random.below(static_cast<std::uint32_t>(experts)));
    std::vector<std::int32_t> homes;
    for (std::int64_t e = 0; e < experts; ++e) homes.push_back(static_cast<std::int32_t>(e % ranks));
    Backend& backend = *setting().backend;
    auto chosen = upload<ExpertIndex>(backend, *setting().stream, ids);
    const auto rank_of = on_device(homes);
    Array<std::int32_t> expert_rows(backend, experts), expert_begin(backend, experts), rank_rows(backend, ranks),
        rank_begin(backend, ranks + 1), choice(backend, choices), slot(backend, choices);
    const ConstRoutingView routing(tokens, width, chosen.view(), {});
    const auto work = [&] {
        backend.operations().order_by_destination(
            *setting().stream, routing, rank_of.view(),
            {expert_rows.view(), expert_begin.view(), rank_rows.view(), rank_begin.view(), choice.view(), slot.view()});
    };
    Memcpy copy(choices * 5);
    work();
    against(state, work, [&] { copy(); }, 1);
}

// One product of all rows with as many weights as one expert has, in one call of the library's on one thread: two
// products of matrices of m x k and n x k.
class DenseProduct {
  public:
    DenseProduct(std::int64_t m, std::int64_t n, std::int64_t k)
        : a_(random_table(Scalar::fp32, m, k)), b_(random_table(Scalar::fp32, n, k)), c_(*setting().backend, Scalar::fp32, m, n) {}
    void operator()();
    [[nodiscard]] double products() const {
        return static_cast<double>(a_.view().rows) * static_cast<double>(b_.view().rows) * static_cast<double>(a_.view().cols);
    }

  private:
    Matrix a_, b_, c_;
};

}  // namespace
