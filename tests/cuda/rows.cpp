#include "odd_shapes.hpp"

namespace moesim::odd_shapes {
namespace {

// Slots whose rows are in another order than the choices, and two without one.
std::vector<std::int32_t> sources(std::int64_t count) {
    std::vector<std::int32_t> all;
    for (std::int64_t i = 0; i < count; ++i) all.push_back(static_cast<std::int32_t>((i * 5 + 2) % (count + 1)));
    if (count > 1) all[1] = -1;
    return all;
}

Bytes moved(const Side& side, Scalar scalar, std::int64_t tokens, std::int64_t cols, std::int64_t width) {
    Stream& stream = *side.stream;
    Operations& operations = side.operations();
    const auto x = side.numbers(scalar, tokens, cols, 1);
    const std::int64_t choices = tokens * width;
    const auto map = side.array(sources(choices));
    Bytes found;
    const auto packed = side.table(scalar, choices, cols), back = side.table(scalar, choices, cols);
    operations.pack(stream, x.view, map.view(), width, packed.view);
    operations.unpack(stream, ConstMatrixView(packed.view), map.view(), back.view);
    append(found, side, packed.bytes);
    append(found, side, back.bytes);
    for (const ScaleBlock block : {ScaleBlock::row, ScaleBlock::columns_128}) {
        const auto codes = side.table(Scalar::fp8_e4m3, choices, cols),
                   scales = side.table(Scalar::fp32, choices, scale_columns(cols, block));
        operations.pack(stream, x.view, map.view(), width, {codes.view, block, scales.view});
        operations.unpack(stream, {codes.view, block, scales.view}, map.view(), back.view);
        append(found, side, codes.bytes);
        append(found, side, scales.bytes);
        append(found, side, back.bytes);
    }
    const auto sum = side.table(scalar, tokens, cols);
    std::vector<float> weights;
    for (std::int64_t c = 0; c < choices; ++c) weights.push_back(0.3F + 0.1F * static_cast<float>(c % 7));
    const auto factors = side.array(weights);
    operations.combine(stream, packed.view, map.view(), factors.view(), sum.view);
    append(found, side, sum.bytes);
    operations.combine(stream, packed.view, {}, factors.view(), sum.view);
    operations.add_residual(stream, sum.view, x.view, sum.view);
    append(found, side, sum.bytes);
    return found;
}

Bytes by_rank(const Side& side, std::int64_t tokens, std::int64_t width, std::int64_t ranks) {
    constexpr std::int64_t experts = 11;
    std::vector<ExpertIndex> chosen;
    for (std::int64_t c = 0; c < tokens * width; ++c) chosen.push_back(static_cast<ExpertIndex>(c * 7 % (experts + 2)));
    std::vector<std::int32_t> homes;
    for (std::int64_t e = 0; e < experts; ++e) homes.push_back(static_cast<std::int32_t>(e % (ranks + 1)));
    const auto on_side = side.array(chosen);
    const auto rank_of = side.array(homes);
    Array<std::int32_t> rank_rows(*side.backend, ranks), rank_begin(*side.backend, ranks + 1),
        token(*side.backend, tokens * width), slot(*side.backend, tokens * width), sent(*side.backend, tokens * width);
    side.operations().order_by_rank(*side.stream, {tokens, width, on_side.view(), {}}, rank_of.view(),
                                    {rank_rows.view(), rank_begin.view(), token.view(), slot.view(), sent.view()});
    Bytes found;
    for (const auto* part : {&rank_rows, &rank_begin, &token, &slot, &sent}) append(found, side, *part);
    return found;
}

}  // namespace

std::string rows(const Side (&both)[2]) {
    std::string wrong;
    for (const Scalar scalar : {Scalar::fp32, Scalar::bf16})
        for (const auto& [tokens, cols, width] : std::vector<std::array<std::int64_t, 3>>{
                 {0, 5, 1}, {1, 1, 1}, {3, 0, 2}, {5, 7, 3}, {11, 136, 1}, {2, 301, 9}, {1, 1'030, 2}, {1, 8'201, 1}})
            if (moved(both[0], scalar, tokens, cols, width) != moved(both[1], scalar, tokens, cols, width))
                wrong += "rows/" + std::to_string(tokens) + '/' + std::to_string(cols) + ' ';
    for (const auto& [tokens, width, ranks] :
         std::vector<std::array<std::int64_t, 3>>{{0, 2, 3}, {1, 1, 1}, {70, 5, 3}, {9, 8, 40}})
        if (by_rank(both[0], tokens, width, ranks) != by_rank(both[1], tokens, width, ranks))
            wrong += "by_rank/" + std::to_string(tokens) + ' ';
    return wrong;
}

}  // namespace moesim::odd_shapes
