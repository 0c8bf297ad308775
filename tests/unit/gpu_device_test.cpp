// GPUs as ranks see them, with a library that says what is put there; and what their results may be off by.
#include <cmath>
#include <vector>

#include "base/machine_lacks.hpp"
#include "calibrate/execute/agreement.hpp"
#include "calibrate/nccl/measured_gpu.hpp"
#include "support/catch.hpp"
#include "support/scenarios.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

class SaidGpus final : public GpuLibrary {
  public:
    int count = 2;
    std::optional<double> clock = 1980;
    int devices() override { return count; }
    GpuFacts facts(int device) override {
        GpuFacts facts;
        facts.name = "NVIDIA H100 80GB HBM3";
        facts.multiprocessors = 132;
        facts.memory = Bytes(80'000'000'000);
        facts.memory_free = Bytes(device == 0 ? 79'000'000'000 : 10'000'000'000);
        facts.cache = Bytes(50'000'000);
        return facts;
    }
    std::optional<double> clock_mhz(int) override { return clock; }
    std::unique_ptr<kernels::Backend> backend(int) override { return nullptr; }
    NcclApi& nccl() override { throw std::logic_error("no NCCL"); }
};

// Two layers, 4 values a token.
Scenario two_layers() {
    Scenario s = tiny(2, 8);
    s.model.hidden = 4;
    s.model.moe_layers = 2;
    s.model.attention.reset();
    return s;
}

}  // namespace

TEST_CASE("each rank of a host has a GPU of its own") {
    SaidGpus gpus;
    CHECK(device_of_rank(gpus, 0, 2) == 0);
    CHECK(device_of_rank(gpus, 1, 2) == 1);
    CHECK_THROWS_WITH(device_of_rank(gpus, 0, 3),
                      "--backend cuda: found 2 CUDA devices, expected 3: one for each rank on a host");
    gpus.count = 1;
    CHECK_THROWS_AS(device_of_rank(gpus, 1, 2), MachineLacks);
    CHECK_THROWS_WITH(device_of_rank(gpus, 1, 2),
                      "--backend cuda: found 1 CUDA device, expected 2: one for each rank on a host");
}

TEST_CASE("a GPU's profile begins with what its driver says") {
    SaidGpus gpus;
    const MeasuredDevice d = measured_gpu(gpus, 0, "node7", "2026-11-23");
    CHECK(d.profile == "gpu-node7");
    CHECK(d.device == "NVIDIA H100 80GB HBM3, a GPU of node7");
    CHECK(d.memory.value == Bytes(80'000'000'000));
    CHECK(d.reserved.value == Bytes(1'000'000'000));  // 80 - 79 GB
    CHECK(d.usable == Bytes(39'500'000'000));         // half of what is free
    CHECK(d.multiprocessors.value == 132);
    CHECK(d.caches.front() == Bytes(50'000'000));
    CHECK_FALSE(d.on_core);
    CHECK(d.clock_mhz() == std::vector<double>{1980});
    gpus.clock.reset();
    CHECK(d.clock_mhz().empty());
    // Somebody else has 70 of 80 GB of the other one: at most half of it counts as taken.
    CHECK(measured_gpu(gpus, 1, "node7", "").reserved.value == Bytes(40'000'000'000));
}

TEST_CASE("tokens of a GPU may be off by what another order of sums explains") {
    const Scenario s = two_layers();
    // Two tokens, whose values have root mean squares of 1 and 2. Two additions each: sqrt(2) (1/64 + 1/128) = 0.03315
    // and sqrt(2) (1/64 + 2/128) = 0.04419.
    const std::vector<float> expected = {1, -1, 1, -1, 2, 2, -2, 2};
    std::vector<float> found = expected;
    CHECK(agreement(s, expected, found).within());
    CHECK(agreement(s, expected, found).difference == 0);

    for (std::size_t i = 4; i < 8; ++i) found[i] += 0.04F;
    const Agreement most = agreement(s, expected, found);
    CHECK(most.token == 1);
    CHECK(most.difference == Approx(0.04).epsilon(1e-5));
    CHECK(most.allowed == Approx(0.04419).epsilon(1e-3));
    CHECK(most.within());
    CHECK(said(most) == "within the tolerance: token 1 is off most, by 0.04 of at most 0.044");

    found = expected;
    found[0] += 0.1F;  // sqrt(0.01 / 4) = 0.05
    const Agreement beyond = agreement(s, expected, found);
    CHECK(beyond.token == 0);
    CHECK(beyond.difference == Approx(0.05));
    CHECK_FALSE(beyond.within());

    found = expected;
    found[6] = std::nanf("");
    CHECK_FALSE(agreement(s, expected, found).within());
    // A token in the other's place.
    found = {2, 2, -2, 2, 1, -1, 1, -1};
    CHECK_FALSE(agreement(s, expected, found).within());
    found.pop_back();
    CHECK_THROWS_WITH(agreement(s, expected, found), "7 values of tokens against 8");
}
