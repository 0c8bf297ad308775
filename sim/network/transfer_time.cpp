#include "network/transfer_time.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "network/fluid/fluid_network.hpp"
#include "network/send_gaps.hpp"

namespace moesim {
namespace {

struct Flow {
    double start = 0;
    Transfer transfer;
};

// In the order of their starts.
std::vector<Flow> flows_of(const Fabric& fabric, const MessageModel& messages, std::span<const Transfer> transfers) {
    std::vector<Flow> flows;
    SendGaps gaps(messages);
    for (const Transfer& t : transfers) {
        if (t.from == t.to || t.bytes == Bytes{}) continue;
        const Route route = fabric.route(t.from, t.to);
        flows.push_back({(messages.latency(route) + gaps.add(t.from, route)).value(), t});
    }
    std::stable_sort(flows.begin(), flows.end(), [](const Flow& a, const Flow& b) { return a.start < b.start; });
    return flows;
}

}  // namespace

Seconds transfer_time(const Fabric& fabric, const MessageModel& messages, std::span<const Transfer> transfers,
                      double tolerance) {
    const std::vector<Flow> flows = flows_of(fabric, messages, transfers);
    std::vector<double> capacity;
    for (const BytesPerSecond c : messages.capacity()) capacity.push_back(c.value());
    FluidNetwork network(std::move(capacity), tolerance);
    std::vector<FluidNetwork::Token> ended;
    std::vector<FluidNetwork::Link> links;
    double last = 0;
    for (std::size_t i = 0;;) {
        const double next = network.next(), now = i < flows.size() ? std::min(next, flows[i].start) : next;
        if (now == fluid::never) break;
        ended.clear();
        if (next <= now) network.advance(now, ended);
        if (!ended.empty()) last = now;
        for (; i < flows.size() && flows[i].start <= now; ++i) {
            const Transfer& t = flows[i].transfer;
            const Route route = fabric.route(t.from, t.to);
            links.clear();
            for (const LinkId l : route.links()) links.push_back(static_cast<FluidNetwork::Link>(l.value()));
            network.start(now, links, t.bytes.as_double(), messages.cap(route).value(),
                          static_cast<FluidNetwork::Token>(i));
        }
    }
    if (network.under_way() > 0) throw InternalError("transfers are left that will never end");
    return Seconds(last);
}

}  // namespace moesim
