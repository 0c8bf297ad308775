#include <cmath>

#include "odd_shapes.hpp"

namespace moesim::odd_shapes {
namespace {

std::vector<float> forward(const Side& side, Scalar scalar, Activation activation, std::int64_t hidden,
                           std::int64_t inner, const std::vector<std::int64_t>& group_begin, bool shared,
                           std::int64_t rank) {
    const auto groups = static_cast<std::int64_t>(group_begin.size()) - 1, experts = shared ? 1 : groups;
    const std::int64_t outputs = activation == Activation::swiglu ? 2 * inner : inner;
    const auto x = side.numbers(scalar, group_begin.back(), hidden, 11),
               gate_up = side.numbers(scalar, experts * outputs, hidden, 12),
               down = side.numbers(scalar, experts * hidden, inner, 13),
               a1 = side.numbers(scalar, groups * rank, hidden, 14),
               b1 = side.numbers(scalar, groups * outputs, rank, 15),
               a2 = side.numbers(scalar, groups * rank, inner, 16),
               b2 = side.numbers(scalar, groups * hidden, rank, 17),
               out = side.table(scalar, group_begin.back(), hidden);
    ExpertWeightsView weights{activation, gate_up.view, down.view, {}, {}};
    if (rank > 0) {
        weights.gate_up_adapter = {a1.view, b1.view, 0.5F};
        weights.down_adapter = {a2.view, b2.view, 2.0F};
    }
    side.operations().expert_forward(*side.stream, x.view, group_begin, weights, out.view);
    return download(*side.stream, ConstMatrixView(out.view));
}

std::vector<float> gated(const Side& side, Scalar scalar, std::int64_t tokens, std::int64_t hidden,
                         std::int64_t experts) {
    const auto x = side.numbers(scalar, tokens, hidden, 21), gate = side.numbers(scalar, experts, hidden, 22),
               logits = side.table(Scalar::fp32, tokens, experts);
    side.operations().gate_logits(*side.stream, x.view, gate.view, logits.view);
    return download(*side.stream, ConstMatrixView(logits.view));
}

// Not exact, so near: sums of a few dozen products of normal numbers, and bf16 in between.
bool near(const std::vector<float>& a, const std::vector<float>& b, float most) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::abs(a[i] - b[i]) <= most * (1 + std::abs(a[i])))) return false;
    return a.size() == b.size();
}

}  // namespace

std::string experts(const Side (&both)[2]) {
    std::string wrong;
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16}) {
        const float most = scalar == Scalar::fp32 ? 1e-4F : 0.03F;
        for (const Activation activation : {Activation::swiglu, Activation::gelu})
            for (const bool shared : {false, true})
                for (const std::int64_t rank : {0, 3})
                    for (const std::int64_t inner : {16, 21})
                        if (!near(forward(both[0], scalar, activation, 13, inner, {0, 3, 3, 12}, shared, rank),
                                  forward(both[1], scalar, activation, 13, inner, {0, 3, 3, 12}, shared, rank), most))
                            wrong += "experts/" + std::to_string(inner) + '/' + std::to_string(rank) + ' ';
        if (!near(gated(both[0], scalar, 5, 40, 9), gated(both[1], scalar, 5, 40, 9), 1e-4F)) wrong += "gate ";
    }
    return wrong;
}

}  // namespace moesim::odd_shapes
