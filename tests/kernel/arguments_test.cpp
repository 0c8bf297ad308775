// What does not fit together is refused before anything is done, in words that name the operation.
#include <cmath>
#include <functional>

#include "kernel/devices.hpp"
#include "kernels/cpu/backend.hpp"
#include "kernels/error.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

std::string complaint(const std::function<void()>& call) {
    try {
        call();
    } catch (const ArgumentError& e) {
        REQUIRE(e.code() == ExitCode::own_fault);
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("arguments that do not fit") {
    const Device& device = devices().front();
    Operations& operations = device.operations();
    Stream& stream = *device.stream;
    const auto table = [&](std::int64_t rows, std::int64_t cols, Scalar scalar = Scalar::fp32) {
        return Matrix(*device.backend, scalar, rows, cols);
    };
    Matrix x = table(4, 8), narrow = table(4, 7), short_one = table(3, 8), bf16 = table(4, 8, Scalar::bf16),
           fp8 = table(4, 8, Scalar::fp8_e4m3), scales = table(4, 1), logits = table(4, 6);
    DeviceRouting routing(device, 4, 2);
    Array<std::int32_t> eight(*device.backend, 8), slot(*device.backend, 8), six(*device.backend, 6),
        begin(*device.backend, 6), two(*device.backend, 2), three(*device.backend, 3);
    const auto rank_of = device.array(std::vector<std::int32_t>(6));
    Array<float> weights(*device.backend, 8);
    Array<std::int64_t> lost(*device.backend, 1);
    Selection selection;
    selection.top_k = 2;
    const auto select_with = [&](const std::function<void(Selection&)>& change) {
        Selection changed = selection;
        change(changed);
        return complaint([&] { operations.select(stream, changed, logits.view(), routing.view()); });
    };
    const DispatchOrderView order = {six.view(), begin.view(), two.view(), three.view(), eight.view(), slot.view()};

    CHECK(complaint([&] { operations.gate_logits(stream, x.view(), narrow.view(), logits.view()); }) ==
          "gate_logits: columns of tokens is 8, columns of gate is 7");
    CHECK(complaint([&] { operations.gate_logits(stream, x.view(), bf16.view(), logits.view()); }) ==
          "gate_logits: tokens is fp32, gate is bf16");
    CHECK(complaint([&] { operations.gate_logits(stream, fp8.view(), fp8.view(), logits.view()); }) ==
          "gate_logits: tokens cannot be fp8_e4m3");
    CHECK(complaint([&] {
              operations.gate_logits(stream, MatrixView(nullptr, Scalar::fp32, 4, 8), x.view(), logits.view());
          }) == "gate_logits: tokens has no data");
    CHECK(complaint([&] {
              auto* odd = static_cast<char*>(x.view().data) + 2;
              operations.gate_logits(stream, MatrixView(odd, Scalar::fp32, 3, 8), x.view(), logits.view());
          }) == "gate_logits: rows of tokens do not begin at multiples of 4 bytes");
    CHECK(complaint([&] {
              operations.gate_logits(stream, MatrixView(x.view().data, Scalar::fp32, 4, 8, 7), x.view(), logits.view());
          }) == "gate_logits: tokens is 4 x 8 with rows 7 apart");

    CHECK(select_with([](Selection&) {}).empty());
    CHECK(select_with([](Selection& s) { s.top_k = 7; }) == "select: 7 of 6 experts");
    CHECK(select_with([](Selection& s) { s.top_k = 3; }) == "select: places of the routing is 2, top_k is 3");
    CHECK(select_with([](Selection& s) { s.limit.groups = 4; }) == "select: 1 tiers of 4 groups of 6 experts");
    CHECK(select_with([](Selection& s) { s.limit.chosen_groups = 0; }) == "select: 0 of 1 groups");
    CHECK(select_with([](Selection& s) { s.limit.chosen_tiers = 2; }) == "select: 2 of 1 tiers");
    CHECK(select_with([&](Selection& s) { s.bias = weights.view(); }) == "select: bias has 8 elements, not 6");
    CHECK(complaint([&] {
              operations.select_by_hash(stream, {1, 2, 0, 0}, routing.view());
          }) == "select_by_hash: 2 of 1 experts");
    CHECK(complaint([&] {
              operations.select_by_hash(stream, {4, 2, -1, 0}, routing.view());
          }) == "select_by_hash: position -1, offset 0");
    CHECK(complaint([&] {
              operations.select_by_hash(stream, {4, 2, INT64_MAX / 4, 0}, routing.view());
          }) == "select_by_hash: position 2305843009213693951, offset 0");
    CHECK(complaint([&] {
              operations.choose_tokens(stream, Score::softmax, -1, logits.view(), routing.view(), lost.view());
          }) == "choose_tokens: capacity -1");
    CHECK(complaint([&] { operations.limit_load(stream, -1, routing.view(), six.view()); }) ==
          "limit_load: capacity -1");
    CHECK(complaint([&] { operations.limit_load(stream, 1, routing.view(), {}); }) == "limit_load: 0 experts");

    CHECK(complaint([&] { operations.order_by_destination(stream, routing.view(), rank_of.view(), order); }).empty());
    CHECK(complaint([&] { operations.order_by_destination(stream, routing.view(), eight.view(), order); }) ==
          "order_by_destination: expert_rows has 6 elements, not 8");
    CHECK(complaint([&] {
              DispatchOrderView wrong = order;
              wrong.rank_begin = two.view();
              operations.order_by_destination(stream, routing.view(), rank_of.view(), wrong);
          }) == "order_by_destination: rank_begin has 2 elements, not 3");
    CHECK(complaint([&] {
              const ConstRoutingView huge(INT64_C(1) << 31, 1, {}, {});
              operations.order_by_destination(stream, huge, rank_of.view(), order);
          }) == "order_by_destination: 2147483648 tokens with 1 places are more than 2^31 - 1 choices");

    const RankOrderView by_rank{order.rank_rows, order.rank_begin, order.choice, order.slot, order.choice};
    CHECK(complaint([&] {
              RankOrderView wrong = by_rank;
              wrong.token = wrong.rank_rows;
              operations.order_by_rank(stream, routing.view(), rank_of.view(), wrong);
          }) == "order_by_rank: token has 2 elements, not 8");
    CHECK(complaint([&] {
              RankOrderView wrong = by_rank;
              wrong.rank_rows = {};
              operations.order_by_rank(stream, routing.view(), rank_of.view(), wrong);
          }) == "order_by_rank: 0 ranks");

    CHECK(complaint([&] { operations.pack(stream, x.view(), two.view(), 1, x.view()); }) ==
          "pack: choice has 2 elements, fewer than 4");
    CHECK(complaint([&] { operations.pack(stream, x.view(), eight.view(), 0, short_one.view()); }) ==
          "pack: 0 places a token");
    CHECK(complaint([&] { operations.pack(stream, x.view(), eight.view(), 1, bf16.view()); }) ==
          "pack: tokens is fp32, packed values is bf16");
    CHECK(complaint([&] {
              operations.pack(stream, x.view(), eight.view(), 1, {fp8.view(), ScaleBlock::columns_128, x.view()});
          }) == "pack: columns of scales is 8, blocks of a row is 1");
    CHECK(complaint([&] {
              operations.unpack(stream, {fp8.view(), ScaleBlock::row, scales.view()}, eight.view(), fp8.view());
          }) == "unpack: out cannot be fp8_e4m3");
    CHECK(complaint([&] { operations.unpack(stream, ConstMatrixView(x.view()), two.view(), short_one.view()); }) ==
          "unpack: slot has 2 elements, fewer than 3");

    const std::vector<std::int64_t> groups = {0, 4}, backwards = {0, 5, 4};
    CHECK(complaint([&] {
              operations.expert_forward(stream, x.view(), backwards, {Activation::gelu, x.view(), x.view(), {}, {}},
                                        x.view());
          }) == "expert_forward: group_begin does not ascend from 0 to 4 rows");
    CHECK(complaint([&] {
              operations.expert_forward(stream, x.view(), groups, {Activation::gelu, narrow.view(), x.view(), {}, {}},
                                        x.view());
          }) == "expert_forward: columns of gate_up is 7, columns of rows is 8");
    CHECK(complaint([&] {
              operations.expert_forward(stream, x.view(), groups, {Activation::gelu, x.view(), x.view(), {}, {}},
                                        x.view());
          }) == "expert_forward: gate_up has 4 rows, not 8 for one expert or each of 1");
    CHECK(complaint([&] { operations.combine(stream, x.view(), {}, weights.view(), short_one.view()); }) ==
          "combine: 8 weights for 3 tokens");
    CHECK(complaint([&] { operations.combine(stream, x.view(), {}, weights.view(), x.view()); }) ==
          "combine: rows of results is 4, weights is 8");
    const std::vector<std::int64_t> sequences = {0, 1, 4};
    const auto attention_with = [&](const AttentionRules& rules, const std::function<void(AttentionView&)>& change) {
        AttentionView in{x.view(), x.view(), x.view(), sequences, {}, {}};
        change(in);
        return complaint([&] { operations.attention(stream, rules, in, x.view()); });
    };
    const AttentionRules heads{2, 2, 4, true, 1};
    CHECK(attention_with({3, 2, 4, true, 1}, [](AttentionView&) {}) == "attention: 3 heads with 2 of keys");
    CHECK(attention_with({1, 1, 257, true, 1}, [](AttentionView&) {}) == "attention: heads of dimension 257");
    CHECK(attention_with({1, 1, 8, true, NAN}, [](AttentionView&) {}) == "attention: a scale of nan");
    CHECK(attention_with({2, 1, 8, true, 1}, [](AttentionView&) {}) ==
          "attention: columns of q is 8, heads x dim is 16");
    CHECK(attention_with({2, 1, 4, true, 1}, [](AttentionView&) {}) ==
          "attention: k is 4 x 8; q has 4 rows, heads 4 columns");
    CHECK(attention_with(heads, [&](AttentionView& in) { in.v = short_one.view(); }) ==
          "attention: v is 3 x 8; q has 4 rows, heads 8 columns");
    CHECK(attention_with(heads, [&](AttentionView& in) { in.sequence_begin = {}; }) ==
          "attention: sequence_begin is empty");
    CHECK(attention_with(heads, [&](AttentionView& in) { in.context_k = in.context_v = short_one.view(); }) ==
          "attention: 3 rows of context for 2 sequences");
    CHECK(attention_with(heads, [&](AttentionView& in) { in.context_k = x.view(); }) ==
          "attention: context_k is 4 x 8; context_v has 0 rows, heads 8 columns");
    CHECK(complaint([&] { operations.dense(stream, x.view(), narrow.view(), x.view()); }) ==
          "dense: columns of rows is 8, columns of weights is 7");
    CHECK(complaint([&] { operations.dense(stream, x.view(), x.view(), bf16.view()); }) ==
          "dense: rows is fp32, out is bf16");
    const auto round_with = [&](float step, std::int64_t limit) {
        return complaint([&] { operations.round_products(stream, weights.view().part(0, 4), step, limit, x.view()); });
    };
    CHECK(round_with(0x1p-100F, 1 << 23).empty());
    CHECK(round_with(0.75F, 1) == "round_products: a step of 0.75 is no power of two from 2^-100 to 2^100");
    CHECK(round_with(-1, 1) == "round_products: a step of -1 is no power of two from 2^-100 to 2^100");
    CHECK(round_with(NAN, 1) == "round_products: a step of nan is no power of two from 2^-100 to 2^100");
    CHECK(round_with(1, 0) == "round_products: a limit of 0 steps is not from 1 to 2^23");
    CHECK(round_with(1, (1 << 23) + 1) == "round_products: a limit of 8388609 steps is not from 1 to 2^23");
    CHECK(complaint([&] { operations.round_products(stream, weights.view(), 1, 1, x.view()); }) ==
          "round_products: weights has 8 elements, not 4");
    CHECK(complaint([&] { operations.add_residual(stream, x.view(), short_one.view(), x.view()); }) ==
          "add_residual: rows of a is 4, rows of b or out is 3");
}

TEST_CASE("what a CPU backend cannot be") {
    REQUIRE_THROWS_AS(make_cpu_backend({-1, 0, 0}), ArgumentError);
    REQUIRE_THROWS_AS(make_cpu_backend({1, 2, 0}), DeviceLacking);
    const auto backend = make_cpu_backend();
    REQUIRE(backend->name() == "cpu");
    REQUIRE_THROWS_AS(backend->allocate(-1), ArgumentError);
    REQUIRE_THROWS_AS(backend->allocate(INT64_C(1) << 60), DeviceLacking);
    REQUIRE(backend->allocate(0).data() == nullptr);
    REQUIRE(reinterpret_cast<std::uintptr_t>(backend->allocate(3).data()) % 256 == 0);
}

TEST_CASE("streams copy, fill and time") {
    for (const auto& device : devices()) {
        const auto before = device.stream->record();
        Array<std::int32_t> a = device.array(std::vector<std::int32_t>{1, 2, 3});
        Array<std::int32_t> b(*device.backend, 3);
        device.stream->fill_bytes(b.view().data, 0xff, 12);
        REQUIRE(device.host(b) == std::vector<std::int32_t>{-1, -1, -1});
        device.stream->copy(b.view().data, a.view().data, 8);
        REQUIRE(device.host(b) == std::vector<std::int32_t>{1, 2, -1});
        REQUIRE(device.stream->record()->since(*before).value() >= 0);
    }
}
