// The operations one after the other, as a rank uses them, over random shapes: whatever the placement, the backend
// and the number of threads, tokens come out with the same bits.
#include <algorithm>
#include <numeric>

#include "base/random.hpp"
#include "kernel/devices.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

struct Shape {
    std::int64_t tokens, hidden, experts, top_k, capacity;
    Scalar scalar;
};

Shape random_shape(std::uint64_t number) {
    RandomStream random(stream_key(number, 92), 0);
    const auto up_to = [&](std::uint32_t n) { return static_cast<std::int64_t>(random.below(n)); };
    Shape s{up_to(200), 1 + up_to(300), 1 + up_to(100), 1, 0, Scalar::fp32};
    s.top_k = 1 + up_to(static_cast<std::uint32_t>(std::min<std::int64_t>(s.experts, 12)));
    s.capacity = number % 3 == 0 ? 1'000'000 : 1 + up_to(20);
    if (number % 2 == 1) s.scalar = Scalar::bf16;
    return s;
}

// What comes out where every expert gives back what it gets.
std::vector<float> through_layer(const Device& device, const Shape& s, std::int32_t ranks, std::uint64_t number) {
    Backend& backend = *device.backend;
    Stream& stream = *device.stream;
    Operations& operations = device.operations();
    const Matrix x = device.matrix(s.scalar, s.tokens, s.hidden, normal_numbers(number, s.tokens * s.hidden, s.scalar));
    const Matrix logits =
        device.matrix(Scalar::fp32, s.tokens, s.experts, normal_numbers(number + 1, s.tokens * s.experts));
    DeviceRouting routing(device, s.tokens, s.top_k);
    Selection selection;
    selection.top_k = s.top_k;
    operations.select(stream, selection, logits.view(), routing.view());
    Array<std::int32_t> load(backend, s.experts);
    operations.limit_load(stream, s.capacity, routing.view(), load.view());

    RandomStream random(stream_key(number, 91), static_cast<std::uint64_t>(ranks));
    std::vector<std::int32_t> homes;
    for (std::int64_t e = 0; e < s.experts; ++e)
        homes.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(ranks))));
    const std::int64_t choices = s.tokens * s.top_k;
    Array<std::int32_t> expert_rows(backend, s.experts), expert_begin(backend, s.experts), rank_rows(backend, ranks),
        rank_begin(backend, ranks + 1), choice(backend, choices), slot(backend, choices);
    operations.order_by_destination(
        stream, routing.view(), device.array(homes).view(),
        {expert_rows.view(), expert_begin.view(), rank_rows.view(), rank_begin.view(), choice.view(), slot.view()});

    // Nothing is lost and nothing is sent twice.
    const auto loads = device.host(load), rows = device.host(expert_rows), sent = device.host(rank_rows);
    REQUIRE(loads == rows);
    const std::int32_t used = std::accumulate(sent.begin(), sent.end(), 0);
    REQUIRE(used == std::accumulate(loads.begin(), loads.end(), 0));
    REQUIRE(*std::max_element(loads.begin(), loads.end()) <= s.capacity);
    const auto choice_of = device.host(choice), slot_of = device.host(slot);
    for (std::int32_t i = 0; i < used; ++i)
        REQUIRE(slot_of[static_cast<std::size_t>(choice_of[static_cast<std::size_t>(i)])] == i);

    Matrix packed(backend, s.scalar, used, s.hidden), back(backend, s.scalar, choices, s.hidden),
        out(backend, s.scalar, s.tokens, s.hidden), again(backend, s.scalar, s.tokens, s.hidden);
    operations.pack(stream, x.view(), choice.view(), s.top_k, packed.view());
    operations.combine(stream, packed.view(), slot.view(), routing.weights.view(), out.view());
    // By way of unpacking, which makes zeros of what was dropped: weights of 0 times them, added to what is not
    // negative zero, change nothing.
    operations.unpack(stream, ConstMatrixView(packed.view()), slot.view(), back.view());
    operations.combine(stream, back.view(), {}, routing.weights.view(), again.view());
    REQUIRE(same_bits(device.host(again), device.host(out)));
    operations.add_residual(stream, out.view(), x.view(), out.view());
    return device.host(out);
}

}  // namespace

TEST_CASE("a layer gives the same bits for every placement, backend and number of threads") {
    for (std::uint64_t number = 0; number < 40; ++number) {
        const Shape s = random_shape(number);
        INFO("shape " << number << ": " << s.tokens << " x " << s.hidden << ", top-" << s.top_k << " of " << s.experts
                      << ", at most " << s.capacity);
        const auto expected = through_layer(devices().front(), s, 1, number);
        for (const auto& device : devices())
            for (const std::int32_t ranks : {1, 2, 7}) {
                if (device.slow && (number % 5 != 0 || ranks == 1)) continue;
                REQUIRE(same_bits(through_layer(device, s, ranks, number), expected));
            }
    }
}
