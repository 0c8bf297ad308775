// How far the CPU's operations are from what the machine can do at all. Every figure has its floor beside it, measured
// in the same run: the bytes that have to be touched at the rate at which memcpy touches them, or the arithmetic at the
// rate of one large product of matrices. `ratio` is floor / time: 1 is as fast as can be.
//
// moesim_kernel_bench [--benchmark_filter=...]: one thread unless MOESIM_BENCH_THREADS says otherwise.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <numeric>

#include "base/random.hpp"
#include "kernels/bench/dense_product.hpp"
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

// With one thread, the time that it runs, without that in which the machine does other things.
double seconds(const std::function<void()>& work) {
    const clockid_t clock = setting().threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
    const auto now = [&] {
        timespec t = {};
        ::clock_gettime(clock, &t);
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
    };
    const double begin = now();
    work();
    return now() - begin;
}

// Runs `work` and what it is held against in turn, so that both meet the same load of a machine that does other things
// as well; the ratio is that of the fastest of each. Returns the seconds of the fastest run.
double against(benchmark::State& state, const std::function<void()>& work, const std::function<void()>& baseline,
               double work_per_baseline) {
    double best = 1e30, best_baseline = 1e30;
    while (state.KeepRunning()) {
        const double time = seconds(work);
        state.SetIterationTime(time);
        best = std::min(best, time);
        best_baseline = std::min(best_baseline, seconds(baseline));
    }
    state.counters["ratio"] = best_baseline * work_per_baseline / best;
    state.counters["best_ms"] = best * 1e3;
    return best;
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
    const auto work = [&] {
        setting().backend->operations().pack(*setting().stream, tokens.view(), choice.view(), 1, out);
    };
    Memcpy copy(rows * hidden * bytes_of(scalar));
    work();
    against(
        state, work, [&] { copy(); },
        static_cast<double>(tokens.view().bytes() + values.view().bytes()) / copy.touched());
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
    against(
        state, work, [&] { copy(); }, static_cast<double>(out.view().bytes() + values.view().bytes()) / copy.touched());
}

void combine(benchmark::State& state, Scalar scalar) {
    const std::int64_t tokens = state.range(0), width = state.range(1);
    const Matrix results = random_table(scalar, tokens * width, hidden);
    const auto slot = on_device(permutation(tokens * width));
    const std::vector<float> half(static_cast<std::size_t>(tokens * width), 0.5F);
    const auto weights = upload<float>(*setting().backend, *setting().stream, half);
    Matrix out(*setting().backend, scalar, tokens, hidden);
    const auto work = [&] {
        setting().backend->operations().combine(*setting().stream, results.view(), slot.view(), weights.view(),
                                                out.view());
    };
    Memcpy copy(results.view().bytes());
    work();
    against(
        state, work, [&] { copy(); },
        static_cast<double>(results.view().bytes() + out.view().bytes()) / copy.touched());
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
    against(
        state, work, [&] { copy(); }, 1.5);
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
    while (state.KeepRunning()) {
        const double time =
            seconds([&] { setting().backend->operations().select(*setting().stream, selection, logits.view(), out); });
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
    against(
        state, work, [&] { copy(); }, 1);
}

// Rows spread evenly over experts, against one product of all of them with as many weights as one expert has.
void experts(benchmark::State& state, Scalar scalar, bool adapters) {
    const std::int64_t groups = state.range(0), rows = groups * state.range(1), width = 2048, inner = 1408, rank = 16;
    const Matrix x = random_table(scalar, rows, width), gate_up = random_table(scalar, groups * 2 * inner, width),
                 down = random_table(scalar, groups * width, inner);
    const Matrix a = random_table(scalar, groups * rank, width), b = random_table(scalar, groups * 2 * inner, rank);
    std::vector<std::int64_t> group_begin;
    for (std::int64_t g = 0; g <= groups; ++g) group_begin.push_back(g * state.range(1));
    Matrix out(*setting().backend, scalar, rows, width);
    ExpertWeightsView weights{Activation::swiglu, gate_up.view(), down.view(), {}, {}};
    if (adapters) weights.gate_up_adapter = {a.view(), b.view(), 1};
    const Matrix dense_x = random_table(Scalar::fp32, rows, width),
                 dense_w = random_table(Scalar::fp32, 3 * inner, width);
    Matrix dense_y(*setting().backend, Scalar::fp32, rows, 3 * inner);
    const auto pointer = [](const ConstMatrixView& m) { return static_cast<const float*>(m.data); };
    const auto dense = [&] {
        bench::dense_product(rows, 3 * inner, width, pointer(dense_x.view()), pointer(dense_w.view()),
                             static_cast<float*>(dense_y.view().data), setting().threads);
    };
    const auto work = [&] {
        setting().backend->operations().expert_forward(*setting().stream, x.view(), group_begin, weights, out.view());
    };
    work();
    dense();
    const double best = against(state, work, dense, 1);
    state.counters["Gflop_per_s"] = 6e-9 * static_cast<double>(rows * width * inner) / best;
}

void gate(benchmark::State& state, Scalar scalar) {
    const std::int64_t tokens = state.range(0), count = state.range(1);
    const Matrix x = random_table(scalar, tokens, hidden), weights = random_table(scalar, count, hidden);
    Matrix logits(*setting().backend, Scalar::fp32, tokens, count);
    const Matrix dense_x = random_table(Scalar::fp32, tokens, hidden),
                 dense_w = random_table(Scalar::fp32, count, hidden);
    const auto pointer = [](const ConstMatrixView& m) { return static_cast<const float*>(m.data); };
    const auto dense = [&] {
        bench::dense_product(tokens, count, hidden, pointer(dense_x.view()), pointer(dense_w.view()),
                             static_cast<float*>(logits.view().data), setting().threads);
    };
    const auto work = [&] {
        setting().backend->operations().gate_logits(*setting().stream, x.view(), weights.view(), logits.view());
    };
    work();
    against(state, work, dense, 1);
}

Selection rules(Score score, std::int64_t groups = 1, std::int64_t chosen_groups = 1) {
    Selection s;
    s.score = score;
    s.limit = {1, 1, groups, chosen_groups, GroupScore::top2_sum};
    return s;
}

constexpr Scalar fp32 = Scalar::fp32, bf16 = Scalar::bf16, fp8 = Scalar::fp8_e4m3;
constexpr ScaleBlock row = ScaleBlock::row, columns_128 = ScaleBlock::columns_128;

#define MOESIM_TIMED(...) BENCHMARK_CAPTURE(__VA_ARGS__)->UseManualTime()->Unit(benchmark::kMillisecond)
MOESIM_TIMED(pack, fp32, fp32, fp32, row)->Arg(4096);
MOESIM_TIMED(pack, bf16, bf16, bf16, row)->Arg(4096);
MOESIM_TIMED(pack, fp32_to_fp8, fp32, fp8, columns_128)->Arg(4096);
MOESIM_TIMED(pack, bf16_to_fp8, bf16, fp8, columns_128)->Arg(4096);
MOESIM_TIMED(pack, bf16_to_fp8_row, bf16, fp8, row)->Arg(4096);
MOESIM_TIMED(unpack, fp32, fp32, fp32, row)->Arg(4096);
MOESIM_TIMED(unpack, bf16, bf16, bf16, row)->Arg(4096);
MOESIM_TIMED(unpack, fp8_to_fp32, fp32, fp8, columns_128)->Arg(4096);
MOESIM_TIMED(unpack, fp8_to_bf16, bf16, fp8, columns_128)->Arg(4096);
MOESIM_TIMED(combine, fp32, fp32)->Args({4096, 2})->Args({4096, 8});
MOESIM_TIMED(combine, bf16, bf16)->Args({4096, 2})->Args({4096, 8});
MOESIM_TIMED(residual, fp32, fp32)->Arg(4096);
MOESIM_TIMED(residual, bf16, bf16)->Arg(4096);
MOESIM_TIMED(select, softmax, rules(Score::softmax))->Args({64, 1})->Args({64, 2})->Args({64, 8})->Args({256, 8});
MOESIM_TIMED(select, sigmoid_bias, rules(Score::sigmoid))->Args({64, 8});
MOESIM_TIMED(select, groups, rules(Score::sigmoid, 8, 4))->Args({64, 8})->Args({256, 8});
BENCHMARK(order)->UseManualTime()->Unit(benchmark::kMillisecond)->Arg(4096)->Arg(65'536);
MOESIM_TIMED(experts, fp32, fp32, false)->Args({8, 64})->Args({8, 256})->Args({2, 1024});
MOESIM_TIMED(experts, bf16, bf16, false)->Args({8, 64})->Args({8, 256});
MOESIM_TIMED(experts, fp32_adapters, fp32, true)->Args({8, 256});
MOESIM_TIMED(gate, fp32, fp32)->Args({1024, 64})->Args({1024, 256});

}  // namespace

BENCHMARK_MAIN();
