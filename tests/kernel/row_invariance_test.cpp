// On the CPU a row's products have the same bits whatever the other rows are, how many there are, and where it stands.
#include "base/random.hpp"
#include "kernel/devices.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

using Numbers = std::vector<float>;

struct Run {
    std::int64_t begin, count;
};
// Runs of few rows, and of about a tile (512 rows), that lie anywhere among so many.
std::vector<Run> runs(std::int64_t rows) {
    RandomStream random(stream_key(5, 99), static_cast<std::uint64_t>(rows));
    std::vector<Run> all;
    for (const std::int64_t count : {1, 2, 3, 5, 8, 13, 33, 40, 511, 513})
        if (count <= rows) all.push_back({random.below(static_cast<std::uint32_t>(rows - count + 1)), count});
    return all;
}

Numbers rows_of(const Numbers& all, std::int64_t cols, const Run& run) {
    return {all.begin() + run.begin * cols, all.begin() + (run.begin + run.count) * cols};
}

// Depths around what the library takes in one go (1 to 64 rows of registers, several blocks of sums), outputs that are
// whole registers and some that are not.
struct Shape {
    std::int64_t rows, depth, outputs;
};
const std::vector<Shape> shapes = {{70, 1, 1},    {70, 5, 3},    {70, 8, 8},    {70, 16, 64}, {70, 33, 17},
                                   {70, 63, 130}, {41, 300, 49}, {34, 650, 53}, {514, 31, 33}};

// One a level of vector instructions.
std::vector<const Device*> processors() {
    std::vector<const Device*> found;
    for (const auto& device : devices())
        if (device.backend->name() == "cpu" && device.name.find("past caches") == std::string::npos)
            found.push_back(&device);
    return found;
}

}  // namespace

TEST_CASE("a token's gate logits do not depend on the other tokens") {
    for (const Device* processor : processors()) {
        const Device& device = *processor;
        for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
            for (const Shape& s : shapes) {
                INFO(device.name << ", " << name(scalar) << ": " << s.rows << " x " << s.depth << " x " << s.outputs);
                const Numbers tokens = normal_numbers(11, s.rows * s.depth, scalar);
                const Matrix gate =
                    device.matrix(scalar, s.outputs, s.depth, normal_numbers(12, s.outputs * s.depth, scalar));
                const auto logits = [&](const Run& run) {
                    const Matrix x = device.matrix(scalar, run.count, s.depth, rows_of(tokens, s.depth, run));
                    Matrix out(*device.backend, Scalar::fp32, run.count, s.outputs);
                    device.operations().gate_logits(*device.stream, x.view(), gate.view(), out.view());
                    return device.host(out);
                };
                const Numbers all = logits({0, s.rows});
                for (const Run& run : runs(s.rows)) {
                    INFO(run.count << " from " << run.begin << " on");
                    CHECK(same_bits(logits(run), rows_of(all, s.outputs, run)));
                }
            }
    }
}

TEST_CASE("a row that an expert gets does not depend on the other rows, nor on their experts") {
    for (const Device* processor : processors()) {
        const Device& device = *processor;
        for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
            for (const std::int64_t rank : {0, 4})
                for (const Shape& s : shapes) {
                    INFO(device.name << ", " << name(scalar) << ", rank " << rank << ": " << s.rows << " x " << s.depth
                                     << " x " << s.outputs);
                    const Numbers rows = normal_numbers(21, s.rows * s.depth, scalar);
                    const auto table = [&](std::uint64_t seed, std::int64_t n, std::int64_t cols) {
                        return device.matrix(scalar, n, cols, normal_numbers(seed, n * cols, scalar));
                    };
                    // Three groups: before, the run, after.
                    const Matrix gate_up = table(22, 2 * s.outputs, s.depth), down = table(23, s.depth, s.outputs),
                                 a = table(24, 3 * rank, s.depth), b = table(25, 3 * 2 * s.outputs, rank);
                    const ExpertWeightsView weights{
                        Activation::swiglu, gate_up.view(), down.view(), {a.view(), b.view(), 0.5F}, {}};
                    const auto forward = [&](const Run& run, std::vector<std::int64_t> groups) {
                        const Matrix x = device.matrix(scalar, run.count, s.depth, rows_of(rows, s.depth, run));
                        Matrix out(*device.backend, scalar, run.count, s.depth);
                        device.operations().expert_forward(*device.stream, x.view(), groups, weights, out.view());
                        return device.host(out);
                    };
                    const Numbers all = forward({0, s.rows}, {0, 0, s.rows, s.rows});
                    for (const Run& run : runs(s.rows)) {
                        INFO(run.count << " from " << run.begin << " on");
                        const Numbers alone = forward(run, {0, 0, run.count, run.count});
                        CHECK(same_bits(alone, rows_of(all, s.depth, run)));
                        const Numbers amid = forward({0, s.rows}, {0, run.begin, run.begin + run.count, s.rows});
                        CHECK(same_bits(rows_of(amid, s.depth, run), alone));
                    }
                }
    }
}
