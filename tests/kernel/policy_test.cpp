// The kernels choose as the simulator's policies do, given the same logits.
#include <algorithm>

#include "base/float_math.hpp"
#include "kernel/devices.hpp"
#include "support/catch.hpp"
#include "workload/bias_balanced_policy.hpp"
#include "workload/capacity.hpp"
#include "workload/expert_choice_policy.hpp"
#include "workload/gate.hpp"
#include "workload/group_policy.hpp"
#include "workload/hash_policy.hpp"
#include "workload/topk_policy.hpp"

using namespace moesim;
using namespace moesim::test;

namespace {

constexpr std::int64_t tokens = 500, experts = 64;

// The logits of token t are row t of a table, modulo its length.
class TableGate final : public Gate {
  public:
    explicit TableGate(std::vector<float> logits) : logits_(std::move(logits)) {}
    [[nodiscard]] std::size_t experts() const override { return static_cast<std::size_t>(::experts); }
    void logits(const TokenBatch& batch, Range part, std::span<float> out) const override {
        for (std::int64_t t = part.begin; t < part.end; ++t)
            std::copy_n(logits_.begin() + (batch.tokens.begin + t) % tokens * ::experts, ::experts,
                        out.begin() + (t - part.begin) * ::experts);
    }

  private:
    std::vector<float> logits_;
};

Routing routed(const RoutingPolicy& policy) {
    TokenBatch batch;
    batch.layer = LayerId(0);
    batch.tokens = {0, tokens};
    batch.want_gates = true;
    Routing routing;
    policy.route(batch, routing);
    return routing;
}

void require_equal(const HostRouting& found, const Routing& expected) {
    REQUIRE(found.experts == expected.experts);
    REQUIRE(found.weights.size() == expected.gates.size());
    for (std::size_t c = 0; c < found.weights.size(); ++c)
        REQUIRE(found.weights[c] == Approx(expected.gates[c]).epsilon(1e-5).margin(1e-9));
}

HostRouting select(const Device& device, kernels::Selection selection, const std::vector<float>& logits,
                   const std::vector<float>& bias = {}) {
    const auto table = device.matrix(kernels::Scalar::fp32, tokens, experts, logits);
    const auto biases = device.array(bias);
    selection.bias = biases.view();
    DeviceRouting out(device, tokens, selection.top_k);
    device.operations().select(*device.stream, selection, table.view(), out.view());
    return {device, out};
}

}  // namespace

TEST_CASE("top-k, hard and soft, and top-1 choose as in the simulator") {
    const auto logits = normal_numbers(11, tokens * experts);
    const auto gate = std::make_shared<TableGate>(logits);
    for (const auto& device : devices())
        for (const std::int64_t k : {1, 2, 8}) {
            const auto width = static_cast<std::size_t>(k);
            kernels::Selection s;
            s.top_k = k;
            require_equal(select(device, s, logits), routed(TopkPolicy(gate, width, GateWeights::softmax)));
            s.weights = kernels::WeightRule::equal;
            require_equal(select(device, s, logits), routed(TopkPolicy(gate, width, GateWeights::equal)));
        }
}

TEST_CASE("group-limited and hierarchical choose as in the simulator") {
    const auto logits = normal_numbers(12, tokens * experts);
    const auto gate = std::make_shared<TableGate>(logits);
    for (const auto& device : devices())
        for (const auto& [tiers, chosen_tiers, groups, chosen_groups] :
             {std::array<std::int64_t, 4>{1, 1, 8, 4}, {1, 1, 16, 3}, {4, 2, 16, 5}, {2, 1, 64, 8}})
            for (const bool two : {false, true}) {
                kernels::Selection s;
                s.top_k = 6;
                s.limit = {tiers, chosen_tiers, groups, chosen_groups,
                           two ? kernels::GroupScore::top2_sum : kernels::GroupScore::max};
                const GroupSpec spec{tiers, chosen_tiers, groups, chosen_groups,
                                     two ? GroupScore::top2_sum : GroupScore::max};
                require_equal(select(device, s, logits), routed(GroupPolicy(gate, 6, spec)));
            }
}

TEST_CASE("bias-adjusted chooses as in the simulator, whose logits are relative to equal popularity") {
    const auto logits = normal_numbers(13, tokens * experts);
    const BiasBalancedPolicy policy(std::make_shared<TableGate>(logits), 4, 1, 1, {0.01, 20, 100});
    const auto biases = policy.bias(LayerId(0));
    std::vector<float> shifted = logits;
    for (float& l : shifted) l += float_log(static_cast<float>(experts));
    const Routing expected = routed(policy);
    for (const auto& device : devices()) {
        kernels::Selection s;
        s.top_k = 4;
        s.score = kernels::Score::sigmoid;
        const auto found = select(device, s, shifted, {biases.begin(), biases.end()});
        // Weights differ: the simulator has the softmax of the chosen logits, DeepSeek-V3 their sigmoids, normalised.
        REQUIRE(found.experts == expected.experts);
    }
}

TEST_CASE("hash chooses as in the simulator, which draws the offset") {
    for (const auto& device : devices()) {
        const Routing expected = routed(HashPolicy(experts, 3, 5));
        DeviceRouting out(device, tokens, 3);
        device.operations().select_by_hash(*device.stream, {experts, 3, 0, expected.experts.front()}, out.view());
        require_equal(HostRouting(device, out), expected);
    }
}

TEST_CASE("experts choose, and capacity drops, as in the simulator") {
    const auto logits = normal_numbers(14, tokens * experts);
    const auto gate = std::make_shared<TableGate>(logits);
    const Routing expected = routed(ExpertChoicePolicy(gate, 2, 1.1));
    const std::int64_t capacity = expert_capacity(1.1, tokens, 2, experts);
    for (const auto& device : devices()) {
        const auto table = device.matrix(kernels::Scalar::fp32, tokens, experts, logits);
        DeviceRouting out(device, tokens, static_cast<std::int64_t>(expected.width));
        kernels::Array<std::int64_t> lost(*device.backend, 1);
        device.operations().choose_tokens(*device.stream, kernels::Score::softmax, capacity, table.view(), out.view(),
                                          lost.view());
        require_equal(HostRouting(device, out), expected);
        REQUIRE(device.host(lost).front() == 0);

        Routing limited = routed(TopkPolicy(gate, 4, GateWeights::softmax));
        HostRouting before(tokens, 4);
        before.experts = limited.experts;
        before.weights = limited.gates;
        limit_load(limited, 4, 25, static_cast<std::size_t>(experts), Overflow::drop);
        auto on_device = before.on(device);
        kernels::Array<std::int32_t> load(*device.backend, experts);
        device.operations().limit_load(*device.stream, 25, on_device.view(), load.view());
        require_equal(HostRouting(device, on_device), limited);
    }
}
