#include "network/alltoall/message_gap.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

namespace moesim {
namespace {

// Places in the list.
std::vector<std::size_t> order_of_starts(std::span<const Message> messages, std::size_t ranks) {
    std::vector<std::size_t> order(messages.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto waits = std::stable_partition(order.begin(), order.end(), [&](std::size_t i) {
        return messages[i].after.empty() && messages[i].along.empty();
    });
    const auto turn = [&](std::size_t i) { return turn_of(messages[i].from, messages[i].to, ranks); };
    std::stable_sort(order.begin(), waits, [&](std::size_t a, std::size_t b) { return turn(a) < turn(b); });
    return order;
}

}  // namespace

void keep_message_gaps(std::span<Message> messages, const MessageModel& model) {
    const Fabric& fabric = model.fabric();
    std::map<std::pair<RankId, LinkClass>, Seconds> next;  // when a rank may begin its next one, by the gaps alone
    std::vector<Seconds> begins(messages.size());          // the same of each message, or of its last part
    // Of messages that wait for the same ones, all of others' ranks: when the first of them may begin.
    std::map<std::tuple<RankId, LinkClass, std::vector<std::uint32_t>, std::vector<std::uint32_t>>, Seconds> first;
    for (const std::size_t i : order_of_starts(messages, fabric.ranks())) {
        Message& m = messages[i];
        const Route route = fabric.route(m.from, m.to);
        const Seconds gap = model.gap(route);
        if (gap == Seconds{}) continue;
        const LinkClass over = model.class_of(route);
        Seconds& then = next[{m.from, over}];
        const Seconds own = then;
        begins[i] = own + gap * static_cast<double>(m.parts - 1);
        then += gap * static_cast<double>(m.parts);
        if (m.after.empty() && m.along.empty()) {
            m.delay += begins[i];
            continue;
        }
        bool follows = false;
        Seconds least;
        for (const std::uint32_t before : m.after) {
            const Message& b = messages[before];
            const Route its = fabric.route(b.from, b.to);
            if (b.from != m.from || model.class_of(its) != over) continue;
            const Seconds alone = model.latency(its) + b.bytes / std::min(model.narrowest(its), b.cap);
            least = std::max(least, begins[i] - begins[before] - alone);
            follows = true;
        }
        if (follows)
            m.delay = std::max(m.delay, least);
        else
            m.delay += begins[i] - first.try_emplace({m.from, over, m.after, m.along}, own).first->second;
    }
}

}  // namespace moesim
