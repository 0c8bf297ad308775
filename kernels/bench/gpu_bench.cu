// How far the CUDA operations are from what the device can do at all. Every time has its floor beside it, measured in
// the same run: the bytes that have to be touched at the rate at which a copy of as many touches them, or the same
// arithmetic in one dense product. The fraction is floor / time: 1 is as fast as can be.
//
// moesim_gpu_bench [--device]: the table, or only the device's name. Exits with 1 where a goal is missed, with 3 where
// there is no device. kernels/check_gpu.sh runs it after the tests.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <numeric>

#include "base/random.hpp"
#include "kernels/cuda/backend.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/error.hpp"

namespace {

using namespace moesim;
using namespace moesim::kernels;
using by_nvcc::CudaStream;
using by_nvcc::Product;

constexpr double no_goal = 0, rows_goal = 0.85, select_goal = 0.80, grouped_goal = 0.90;
constexpr std::int64_t hidden = 4096;
constexpr Scalar fp32 = Scalar::fp32, bf16 = Scalar::bf16, fp8 = Scalar::fp8_e4m3;

std::vector<std::int32_t> permutation(std::int64_t n) {
    RandomStream random(stream_key(2, 93), 0);
    std::vector<std::int32_t> p(static_cast<std::size_t>(n));
    std::iota(p.begin(), p.end(), 0);
    for (std::size_t i = p.size(); i > 1; --i) std::swap(p[i - 1], p[random.below(static_cast<std::uint32_t>(i))]);
    return p;
}

class Bench {
  public:
    explicit Bench(Backend& backend)
        : backend_(backend), stream_(backend.make_stream()), flushed_(backend, flushed_bytes) {}

    [[nodiscard]] Operations& operations() const { return backend_.operations(); }
    [[nodiscard]] Stream& stream() const { return *stream_; }
    [[nodiscard]] CudaStream& products() const { return dynamic_cast<CudaStream&>(*stream_); }
    [[nodiscard]] bool goals_met() const { return met_; }

    [[nodiscard]] Matrix table(Scalar scalar, std::int64_t rows, std::int64_t cols) const {
        // A few random rows again and again: making all of them takes longer than all that is timed.
        const std::int64_t made = std::min<std::int64_t>(rows, 64);
        RandomStream random(stream_key(1, 93), static_cast<std::uint64_t>(rows));
        std::vector<float> numbers(static_cast<std::size_t>(made * cols));
        for (float& x : numbers) x = static_cast<float>(random.uniform() - 0.5);
        const Matrix some = upload(backend_, *stream_, scalar, made, cols, numbers);
        Matrix all(backend_, scalar, rows, cols);
        for (std::int64_t r = 0; r < rows; r += made) {
            const std::int64_t count = std::min(made, rows - r);
            stream_->copy(all.view().part(r, count).data, some.view().data,
                          count * some.view().stride * bytes_of(scalar));
        }
        stream_->synchronize();
        return all;
    }
    template <class T>
    [[nodiscard]] Array<T> array(const std::vector<T>& host) const {
        return upload<T>(backend_, *stream_, std::span<const T>(host));
    }
    template <class T>
    [[nodiscard]] Array<T> room(std::int64_t size) const {
        return {backend_, size};
    }
    [[nodiscard]] Matrix room(Scalar scalar, std::int64_t rows, std::int64_t cols) const {
        return {backend_, scalar, rows, cols};
    }

    // The fastest of several runs, each beginning with nothing of its own in the caches.
    double seconds(const std::function<void()>& work) {
        work();
        double best = 1e30;
        for (int run = 0; run < 15; ++run) {
            stream_->fill_bytes(flushed_.view().data, static_cast<unsigned char>(run), flushed_bytes);
            const auto begin = stream_->record();
            work();
            best = std::min(best, stream_->record()->since(*begin).value());
        }
        return best;
    }
    // Work that has to touch so many bytes.
    void against_copy(const std::string& name, std::int64_t bytes, double goal, const std::function<void()>& work) {
        const auto from = room<char>(bytes / 2);
        auto to = room<char>(bytes / 2);
        const double floor = seconds([&] { stream_->copy(to.view().data, from.view().data, bytes / 2); });
        report(name, seconds(work), floor, static_cast<double>(bytes) * 1e-9, "GB/s", goal);
    }
    // So many rows times n x k weights, whichever they are.
    void against_product(const std::string& name, std::int64_t rows, std::int64_t n, std::int64_t k, double goal,
                         const std::function<void()>& work) {
        const Matrix a = table(bf16, rows, k), b = table(bf16, n, k);
        Matrix c = room(bf16, rows, n);
        const Product dense{
            rows, n, k, a.view().data, b.view().data, c.view().data, a.view().stride, b.view().stride, c.view().stride};
        const double floor = seconds([&] { products().multiply({&dense, 1}, {bf16, bf16, 1, false}); });
        report(name, seconds(work), floor, 2e-12 * static_cast<double>(rows * n) * static_cast<double>(k), "TFLOP/s",
               goal);
    }

  private:
    void report(const std::string& name, double time, double floor, double work, const char* unit, double goal) {
        const double fraction = floor / time;
        std::printf("%-52s %10.1f %10.1f %9.1f %-8s %6.2f", name.c_str(), time * 1e6, floor * 1e6, work / time, unit,
                    fraction);
        if (goal > no_goal) std::printf("  %.2f %s", goal, fraction >= goal ? "met" : "MISSED");
        std::printf("\n");
        std::fflush(stdout);
        if (fraction < goal) met_ = false;
    }

    static constexpr std::int64_t flushed_bytes = std::int64_t{512} << 20;  // several times any second-level cache
    Backend& backend_;
    std::unique_ptr<Stream> stream_;
    Array<char> flushed_;
    bool met_ = true;
};

std::string shaped(const char* what, std::int64_t rows, std::int64_t cols) {
    return std::string(what) + ", " + std::to_string(rows) + " x " + std::to_string(cols);
}

void time_pack(Bench& bench, std::int64_t tokens, std::int64_t width, Scalar scalar, Scalar packed, ScaleBlock block) {
    const std::int64_t rows = tokens * width;
    const Matrix x = bench.table(scalar, tokens, hidden);
    Matrix values = bench.room(packed, rows, hidden),
           scales = bench.room(fp32, packed == fp8 ? rows : 0, scale_columns(hidden, block)),
           out = bench.room(scalar, rows, hidden);
    const auto map = bench.array(permutation(rows));
    const PackedView view(values.view(), block, scales.view());
    const std::string kind = std::string(name(scalar)) + (packed == fp8 ? " to fp8" : "") +
                             (packed != fp8              ? ""
                              : block == ScaleBlock::row ? " a row"
                                                         : " 128 columns") +
                             ", top-" + std::to_string(width);
    bench.against_copy(shaped(("pack " + kind).c_str(), tokens, hidden),
                       x.view().bytes() + values.view().bytes() + scales.view().bytes(), rows_goal,
                       [&] { bench.operations().pack(bench.stream(), x.view(), map.view(), width, view); });
    bench.against_copy(shaped(("unpack " + kind).c_str(), tokens, hidden),
                       out.view().bytes() + values.view().bytes() + scales.view().bytes(), rows_goal,
                       [&] { bench.operations().unpack(bench.stream(), view, map.view(), out.view()); });
}

void time_combine(Bench& bench, std::int64_t tokens, std::int64_t width, Scalar scalar) {
    const Matrix results = bench.table(scalar, tokens * width, hidden);
    Matrix out = bench.room(scalar, tokens, hidden);
    const auto slot = bench.array(permutation(tokens * width));
    const auto weights = bench.array(std::vector<float>(static_cast<std::size_t>(tokens * width), 0.5F));
    const std::string what = "combine " + std::string(name(scalar)) + ", top-" + std::to_string(width);
    bench.against_copy(
        shaped(what.c_str(), tokens, hidden), results.view().bytes() + out.view().bytes(), rows_goal,
        [&] { bench.operations().combine(bench.stream(), results.view(), slot.view(), weights.view(), out.view()); });
}

void time_residual(Bench& bench, std::int64_t tokens, Scalar scalar) {
    const Matrix a = bench.table(scalar, tokens, hidden), b = bench.table(scalar, tokens, hidden);
    Matrix out = bench.room(scalar, tokens, hidden);
    const std::string what = "residual " + std::string(name(scalar));
    bench.against_copy(shaped(what.c_str(), tokens, hidden), 3 * out.view().bytes(), rows_goal,
                       [&] { bench.operations().add_residual(bench.stream(), a.view(), b.view(), out.view()); });
}

void time_select(Bench& bench, const char* what, std::int64_t tokens, std::int64_t experts, Selection rules) {
    const Matrix logits = bench.table(fp32, tokens, experts);
    const auto bias = bench.array(std::vector<float>(static_cast<std::size_t>(experts), 0.01F));
    if (rules.score == Score::sigmoid) rules.bias = bias.view();
    auto chosen = bench.room<ExpertIndex>(tokens * rules.top_k);
    auto weights = bench.room<float>(tokens * rules.top_k);
    const RoutingView out(tokens, rules.top_k, chosen.view(), weights.view());
    const std::int64_t written = static_cast<std::int64_t>(sizeof(float) + sizeof(ExpertIndex)) * out.choices();
    bench.against_copy(
        shaped((std::string("select ") + what + ", top-" + std::to_string(rules.top_k)).c_str(), tokens, experts),
        logits.view().bytes() + written, select_goal,
        [&] { bench.operations().select(bench.stream(), rules, logits.view(), out); });
}

void time_sorting(Bench& bench, std::int64_t tokens, std::int64_t experts, std::int64_t width) {
    constexpr std::int64_t ranks = 32;
    const std::int64_t choices = tokens * width;
    RandomStream random(stream_key(3, 93), 0);
    std::vector<ExpertIndex> ids(static_cast<std::size_t>(choices));
    for (ExpertIndex& e : ids) e = static_cast<ExpertIndex>(random.below(static_cast<std::uint32_t>(experts)));
    std::vector<std::int32_t> homes;
    for (std::int64_t e = 0; e < experts; ++e) homes.push_back(static_cast<std::int32_t>(e % ranks));
    auto chosen = bench.array(ids);
    auto weights = bench.array(std::vector<float>(ids.size(), 0.5F));
    const auto rank_of = bench.array(homes);
    auto expert_rows = bench.room<std::int32_t>(experts), expert_begin = bench.room<std::int32_t>(experts),
         rank_rows = bench.room<std::int32_t>(ranks), rank_begin = bench.room<std::int32_t>(ranks + 1),
         choice = bench.room<std::int32_t>(choices), slot = bench.room<std::int32_t>(choices);
    const RoutingView routing(tokens, width, chosen.view(), weights.view());
    const DispatchOrderView order{expert_rows.view(), expert_begin.view(), rank_rows.view(),
                                  rank_begin.view(),  choice.view(),       slot.view()};
    const std::string shape =
        std::to_string(tokens) + " x top-" + std::to_string(width) + " of " + std::to_string(experts);
    bench.against_copy("order_by_destination, " + shape, choices * 10, no_goal, [&] {
        bench.operations().order_by_destination(bench.stream(), routing, rank_of.view(), order);
    });
    auto sent = bench.room<std::int32_t>(choices);
    const RankOrderView by_rank{rank_rows.view(), rank_begin.view(), choice.view(), slot.view(), sent.view()};
    bench.against_copy("order_by_rank, " + shape, choices * 14, no_goal,
                       [&] { bench.operations().order_by_rank(bench.stream(), routing, rank_of.view(), by_rank); });
    bench.against_copy("limit_load, " + shape, choices * 2, no_goal,
                       [&] { bench.operations().limit_load(bench.stream(), tokens, routing, expert_rows.view()); });
    const Matrix logits = bench.table(fp32, tokens, experts);
    auto lost = bench.room<std::int64_t>(1);
    bench.against_copy("choose_tokens, " + shape, logits.view().bytes() + choices * 6, no_goal, [&] {
        bench.operations().choose_tokens(bench.stream(), Score::softmax, choices / experts, logits.view(), routing,
                                         lost.view());
    });
    bench.against_copy("select_by_hash, " + shape, choices * 6, no_goal, [&] {
        bench.operations().select_by_hash(bench.stream(), {experts, width, 0, 0}, routing);
    });
}

void time_gate(Bench& bench, std::int64_t tokens, std::int64_t experts) {
    const Matrix x = bench.table(bf16, tokens, hidden), gate = bench.table(bf16, experts, hidden);
    Matrix logits = bench.room(fp32, tokens, experts);
    bench.against_copy(shaped("gate_logits bf16", tokens, experts),
                       x.view().bytes() + gate.view().bytes() + logits.view().bytes(), no_goal,
                       [&] { bench.operations().gate_logits(bench.stream(), x.view(), gate.view(), logits.view()); });
}

// Rows spread evenly over experts, against one product of all of them with as many weights as one expert has.
void time_experts(Bench& bench, std::int64_t groups, std::int64_t each) {
    constexpr std::int64_t inner = 1536;
    const std::int64_t rows = groups * each;
    const Matrix x = bench.table(bf16, rows, hidden), gate_up = bench.table(bf16, groups * 2 * inner, hidden),
                 down = bench.table(bf16, groups * hidden, inner);
    Matrix z = bench.room(bf16, rows, 2 * inner), out = bench.room(bf16, rows, hidden);
    std::vector<std::int64_t> group_begin;
    std::vector<Product> products;
    for (std::int64_t g = 0; g <= groups; ++g) group_begin.push_back(g * each);
    for (std::int64_t g = 0; g < groups; ++g)
        products.push_back({each, 2 * inner, hidden, x.view().part(g * each, each).data,
                            gate_up.view().part(g * 2 * inner, 0).data, z.view().part(g * each, each).data,
                            x.view().stride, gate_up.view().stride, z.view().stride});
    const std::string shape = std::to_string(groups) + " experts x " + std::to_string(each) + " rows";
    bench.against_product("grouped products, " + shape, rows, 2 * inner, hidden, grouped_goal, [&] {
        bench.products().multiply(products, {bf16, bf16, 1, false});
    });
    const ExpertWeightsView weights{Activation::swiglu, gate_up.view(), down.view(), {}, {}};
    bench.against_product("expert_forward swiglu, " + shape, rows, 3 * inner, hidden, no_goal, [&] {
        bench.operations().expert_forward(bench.stream(), x.view(), group_begin, weights, out.view());
    });
}

Selection rules(Score score, std::int64_t top_k, std::int64_t groups = 1, std::int64_t chosen_groups = 1) {
    Selection s;
    s.score = score;
    s.top_k = top_k;
    s.limit = {1, 1, groups, chosen_groups, GroupScore::top2_sum};
    return s;
}

bool print_table(Backend& backend) {
    std::printf("%s\n\n", backend.description().c_str());
    std::printf("%-52s %10s %10s %18s %6s  goal\n", "", "us", "floor us", "rate", "floor/time");
    Bench bench(backend);
    for (const std::int64_t tokens : {4'096, 16'384}) {
        time_pack(bench, tokens, 1, bf16, bf16, ScaleBlock::row);
        time_pack(bench, tokens, 8, bf16, bf16, ScaleBlock::row);
        time_pack(bench, tokens, 1, fp32, fp32, ScaleBlock::row);
        time_pack(bench, tokens, 1, bf16, fp8, ScaleBlock::columns_128);
        time_pack(bench, tokens, 1, bf16, fp8, ScaleBlock::row);
        time_pack(bench, tokens, 1, fp32, fp8, ScaleBlock::columns_128);
        time_combine(bench, tokens, 2, bf16);
        time_combine(bench, tokens, 8, bf16);
        time_combine(bench, tokens, 8, fp32);
        time_residual(bench, tokens, bf16);
    }
    for (const std::int64_t tokens : {16'384, 131'072}) {
        time_select(bench, "softmax", tokens, 64, rules(Score::softmax, 2));
        time_select(bench, "softmax", tokens, 256, rules(Score::softmax, 8));
        time_select(bench, "sigmoid with bias", tokens, 256, rules(Score::sigmoid, 8));
        time_select(bench, "sigmoid, 4 of 8 groups", tokens, 256, rules(Score::sigmoid, 8, 8, 4));
        time_sorting(bench, tokens, 256, 8);
    }
    time_gate(bench, 4'096, 64);
    time_gate(bench, 16'384, 256);
    time_experts(bench, 8, 1'024);
    time_experts(bench, 64, 128);
    time_experts(bench, 128, 16);
    return bench.goals_met();
}

}  // namespace

int main(int count, char** words) {
    try {
        const auto backend = make_cuda_backend();
        if (count > 1 && std::strcmp(words[1], "--device") == 0) {
            std::printf("%s\n", backend->description().c_str());
            return 0;
        }
        return print_table(*backend) ? 0 : 1;
    } catch (const Error& e) {
        std::fprintf(stderr, "moesim_gpu_bench: %s\n", e.what());
        return static_cast<int>(e.code());
    }
}
