#include <limits>

#include "odd_shapes.hpp"

namespace moesim::odd_shapes {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// A routing of just its size, and what was written there.
struct Room {
    std::int64_t tokens, width;
    Array<ExpertIndex> experts;
    Array<float> weights;
    Room(const Side& side, std::int64_t t, std::int64_t w)
        : tokens(t), width(w), experts(*side.backend, t * w), weights(*side.backend, t * w) {
        side.stream->fill_bytes(experts.view().data, 0x11, t * w * static_cast<std::int64_t>(sizeof(ExpertIndex)));
        side.stream->fill_bytes(weights.view().data, 0x11, t * w * static_cast<std::int64_t>(sizeof(float)));
    }
    [[nodiscard]] RoutingView view() { return {tokens, width, experts.view(), weights.view()}; }
    void append_to(Bytes& found, const Side& side) const {
        append(found, side, experts);
        append(found, side, weights);
    }
};

// With ties, and with what is no number.
Side::Table logits_on(const Side& side, std::int64_t tokens, std::int64_t experts) {
    Side::Table t = side.numbers(Scalar::fp32, tokens, experts, 31);
    for (std::int64_t r = 0; r < tokens; ++r)
        for (std::int64_t e = 0; e < experts; ++e) {
            float& x = t.view.as<float>().row(r)[e];
            if (e % 5 == 3) x = 0.5F;
            if ((r + e) % 11 == 7) x = e % 2 == 0 ? -infinity : infinity;
            if ((r + e) % 13 == 5) x = std::numeric_limits<float>::quiet_NaN();
        }
    return t;
}

Bytes selected(const Side& side, std::int64_t tokens, std::int64_t experts, std::int64_t top_k) {
    Bytes found;
    const auto logits = logits_on(side, tokens, experts);
    std::vector<float> biases;  // the first of which is none, so that they begin off a multiple of 16 bytes
    for (std::int64_t e = 0; e <= experts; ++e) biases.push_back(0.01F * static_cast<float>(e % 5));
    const auto behind_one = side.array(biases);
    const ArrayView<const float> bias = behind_one.view().part(1, experts);
    const auto select = [&](const Selection& rules) {
        Room out(side, tokens, top_k);
        side.operations().select(*side.stream, rules, logits.view, out.view());
        out.append_to(found, side);
    };
    select({Score::softmax, top_k, WeightRule::normalised, {}, {}});
    select({Score::softmax, top_k, WeightRule::probability, {}, {}});
    select({Score::sigmoid, top_k, WeightRule::normalised, bias, {}});
    select({Score::softmax, top_k, WeightRule::normalised, bias, {}});
    if (experts % 8 == 0) {
        select({Score::sigmoid, top_k, WeightRule::equal, {}, {2, 1, 8, 3, GroupScore::top2_sum}});
        select({Score::softmax, top_k, WeightRule::normalised, {}, {4, 3, 8, 5, GroupScore::max}});
    }
    Room hashed(side, tokens, top_k);
    side.operations().select_by_hash(*side.stream, {experts, top_k, 3, 2}, hashed.view());
    hashed.append_to(found, side);
    for (const std::int64_t capacity : {std::int64_t{0}, std::int64_t{2}, tokens + 1}) {
        Room out(side, tokens, top_k);
        Array<std::int64_t> lost(*side.backend, 1);
        side.operations().choose_tokens(*side.stream, Score::softmax, capacity, logits.view, out.view(), lost.view());
        out.append_to(found, side);
        append(found, side, lost);
    }
    return found;
}

// More tokens than there are blocks for, so that blocks go from one to the next in the same memory.
Bytes in_turn(const Side& side) {
    constexpr std::int64_t tokens = 13, experts = 513, top_k = 2;
    Bytes found;
    const auto logits = logits_on(side, tokens, experts);
    Room selected(side, tokens, top_k), chosen(side, tokens, top_k);
    side.operations().select(*side.stream, {Score::softmax, top_k, WeightRule::probability, {}, {}}, logits.view,
                             selected.view());
    Array<std::int64_t> lost(*side.backend, 1);
    side.operations().choose_tokens(*side.stream, Score::softmax, tokens, logits.view, chosen.view(), lost.view());
    selected.append_to(found, side);
    chosen.append_to(found, side);
    append(found, side, lost);
    return found;
}

// one: a single expert gets all.
Bytes sorted(const Side& side, std::int64_t tokens, std::int64_t width, std::int64_t experts, std::int64_t ranks,
             bool one) {
    RandomStream random(stream_key(5, 89), 0);
    std::vector<ExpertIndex> chosen;
    std::vector<float> weights;
    for (std::int64_t c = 0; c < tokens * width; ++c) {
        const std::int64_t any = random.below(static_cast<std::uint32_t>(experts + 1));
        chosen.push_back(static_cast<ExpertIndex>(one ? experts / 2 : any));
        weights.push_back(static_cast<float>(c));
    }
    std::vector<std::int32_t> homes;
    for (std::int64_t e = 0; e < experts; ++e) homes.push_back(static_cast<std::int32_t>((e * 7 + 1) % (ranks + 1)));
    auto on_side = side.array(chosen);
    auto factors = side.array(weights);
    const auto rank_of = side.array(homes);
    Array<std::int32_t> load(*side.backend, experts), expert_rows(*side.backend, experts),
        expert_begin(*side.backend, experts), rank_rows(*side.backend, ranks), rank_begin(*side.backend, ranks + 1),
        choice(*side.backend, tokens * width), slot(*side.backend, tokens * width);
    const RoutingView routing(tokens, width, on_side.view(), factors.view());
    Bytes found;
    for (const std::int64_t capacity : {std::int64_t{1'000}, std::int64_t{2}}) {
        side.operations().limit_load(*side.stream, capacity, routing, load.view());
        side.operations().order_by_destination(
            *side.stream, routing, rank_of.view(),
            {expert_rows.view(), expert_begin.view(), rank_rows.view(), rank_begin.view(), choice.view(), slot.view()});
        for (const auto* part : {&load, &expert_rows, &expert_begin, &rank_rows, &rank_begin, &choice, &slot})
            append(found, side, *part);
        append(found, side, on_side);
        append(found, side, factors);
    }
    return found;
}

}  // namespace

std::string routing(const Side (&both)[2]) {
    std::string wrong;
    for (const auto& [tokens, experts, top_k] : std::vector<std::array<std::int64_t, 3>>{{0, 4, 2},
                                                                                         {1, 1, 1},
                                                                                         {3, 8, 8},
                                                                                         {5, 16, 3},
                                                                                         {3, 30, 4},
                                                                                         {37, 33, 5},
                                                                                         {4, 64, 8},
                                                                                         {3, 100, 7},
                                                                                         {2, 256, 8},
                                                                                         {3, 300, 6},
                                                                                         {1, 520, 4}})
        if (selected(both[0], tokens, experts, top_k) != selected(both[1], tokens, experts, top_k))
            wrong += "select/" + std::to_string(tokens) + '/' + std::to_string(experts) + ' ';
    for (const auto& [tokens, width, experts, ranks] : std::vector<std::array<std::int64_t, 4>>{
             {0, 2, 5, 3}, {1, 1, 1, 1}, {13, 3, 7, 2}, {150, 3, 300, 40}, {400, 1, 4'100, 2}, {40, 2, 9'000, 8'300}})
        for (const bool one : {false, true}) {
            if (one && experts > 5'000) continue;  // as with fewer, but slow
            if (sorted(both[0], tokens, width, experts, ranks, one) !=
                sorted(both[1], tokens, width, experts, ranks, one))
                wrong += "order/" + std::to_string(tokens) + '/' + std::to_string(experts) + (one ? "/one " : " ");
        }
    if (in_turn(both[0]) != in_turn(both[1])) wrong += "tokens in turn ";
    return wrong;
}

}  // namespace moesim::odd_shapes
