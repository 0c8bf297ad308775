// The sort by rank alone, against a slow formula, and its way through pack and combine.
#include <map>

#include "base/random.hpp"
#include "kernel/devices.hpp"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::kernels;
using namespace moesim::test;

namespace {

using Numbers = std::vector<std::int32_t>;

struct Order {
    Numbers rank_rows, rank_begin, token, slot, sent;
    bool operator==(const Order&) const = default;
};

Order order_on(const Device& device, const HostRouting& routing, const Numbers& rank_of, std::int64_t ranks) {
    Backend& backend = *device.backend;
    const std::int64_t choices = routing.tokens * routing.width;
    auto on_device = routing.on(device);
    Array<std::int32_t> rank_rows(backend, ranks), rank_begin(backend, ranks + 1), token(backend, choices),
        slot(backend, choices), sent(backend, choices);
    const auto homes = device.array(rank_of);
    device.operations().order_by_rank(*device.stream, on_device.view(), homes.view(),
                                      {rank_rows.view(), rank_begin.view(), token.view(), slot.view(), sent.view()});
    return {device.host(rank_rows), device.host(rank_begin), device.host(token), device.host(slot), device.host(sent)};
}

// A map from (rank, token) to the token's first choice there is in the order of slots.
Order sorted(const HostRouting& routing, const Numbers& rank_of, std::int64_t ranks) {
    const auto width = static_cast<std::size_t>(routing.width);
    std::map<std::pair<std::size_t, std::size_t>, std::vector<std::size_t>> rows;
    for (std::size_t c = 0; c < routing.experts.size(); ++c) {
        const std::size_t e = routing.experts[c];
        if (e < rank_of.size() && rank_of[e] >= 0 && rank_of[e] < ranks)
            rows[{static_cast<std::size_t>(rank_of[e]), c / width}].push_back(c);
    }
    Order o{Numbers(static_cast<std::size_t>(ranks)), Numbers(static_cast<std::size_t>(ranks) + 1),
            Numbers(routing.experts.size(), -1), Numbers(routing.experts.size(), -1),
            Numbers(routing.experts.size(), -1)};
    std::int32_t next = 0;
    for (const auto& [place, choices] : rows) {
        ++o.rank_rows[place.first];
        o.token[static_cast<std::size_t>(next)] = static_cast<std::int32_t>(place.second);
        o.sent[choices.front()] = next;
        for (const std::size_t c : choices) o.slot[c] = next;
        ++next;
    }
    for (std::size_t r = 0; r < o.rank_rows.size(); ++r) o.rank_begin[r + 1] = o.rank_begin[r] + o.rank_rows[r];
    return o;
}

HostRouting random_routing(std::int64_t tokens, std::int64_t width, std::int64_t experts) {
    RandomStream random(stream_key(7, 88), static_cast<std::uint64_t>(tokens));
    HostRouting r(tokens, width);
    for (ExpertIndex& e : r.experts) {
        e = static_cast<ExpertIndex>(random.below(static_cast<std::uint32_t>(experts)));
        if (random.below(9) == 0) e = random.below(2) == 0 ? no_expert : static_cast<ExpertIndex>(experts);
    }
    return r;
}

}  // namespace

TEST_CASE("by rank alone: hand-computed") {
    // Experts 0 and 1 live on rank 1, 2 on rank 0, 3 nowhere. Token 0 goes to rank 1 once and to rank 0, token 1 to
    // rank 1 once, token 2 nowhere.
    HostRouting r(3, 3);
    r.experts = {1, 2, 0, 0, 3, 1, no_expert, 3, 9};
    const Order expected{{1, 2},
                         {0, 1, 3},
                         {0, 0, 1, -1, -1, -1, -1, -1, -1},
                         {1, 0, 1, 2, -1, 2, -1, -1, -1},
                         {1, 0, -1, 2, -1, -1, -1, -1, -1}};
    REQUIRE(sorted(r, {1, 1, 0, -1}, 2) == expected);
    for (const auto& device : devices()) REQUIRE(order_on(device, r, {1, 1, 0, -1}, 2) == expected);
}

TEST_CASE("by rank alone: each token once for each rank of its experts, in the order of ranks and tokens") {
    for (const auto& [tokens, width, experts] : std::vector<std::array<std::int64_t, 3>>{
             {0, 2, 4}, {1, 1, 1}, {1, 8, 8}, {50, 3, 1}, {33, 4, 7}, {700, 8, 256}})
        for (const std::int32_t ranks : {1, 3, 16, 300}) {
            const HostRouting r = random_routing(tokens, width, experts);
            Numbers rank_of;
            for (std::int64_t e = 0; e < experts; ++e)
                rank_of.push_back(static_cast<std::int32_t>((e * 5 + 1) % (ranks + 1)));
            const Order expected = sorted(r, rank_of, ranks);
            for (const auto& device : devices()) {
                INFO(device.name << ": " << tokens << " x " << width << " of " << experts << ", " << ranks << " ranks");
                REQUIRE(order_on(device, r, rank_of, ranks) == expected);
            }
        }
}

TEST_CASE("rows that are sent once a rank and given back as they are add up to as many as there are ranks") {
    constexpr std::int64_t tokens = 20, width = 4, experts = 8, cols = 12, ranks = 3;
    const HostRouting routing = random_routing(tokens, width, experts);
    const Numbers rank_of = {0, 1, 2, 0, 1, 2, 0, 1};
    const auto x = normal_numbers(3, tokens * cols);
    const Order order = sorted(routing, rank_of, ranks);
    std::vector<float> expected(x.size());
    for (std::size_t c = 0; c < order.sent.size(); ++c)
        for (std::size_t i = 0; order.sent[c] >= 0 && i < cols; ++i) {
            const std::size_t at = c / width * cols + i;
            expected[at] += x[at];
        }
    for (const auto& device : devices()) {
        const Order found = order_on(device, routing, rank_of, ranks);
        const Matrix rows = device.matrix(Scalar::fp32, tokens, cols, x);
        Matrix packed(*device.backend, Scalar::fp32, found.rank_begin.back(), cols),
            out(*device.backend, Scalar::fp32, tokens, cols);
        const auto token = device.array(found.token), sent = device.array(found.sent);
        const auto ones = device.array(std::vector<float>(found.sent.size(), 1.0F));
        device.operations().pack(*device.stream, rows.view(), token.view(), 1, packed.view());
        device.operations().combine(*device.stream, packed.view(), sent.view(), ones.view(), out.view());
        REQUIRE(same_bits(device.host(out), expected));
    }
}
