#include "planner/connectivity_state.hpp"

#include <algorithm>
#include <utility>

namespace moesim {

ConnectivityState::ConnectivityState(const RoutingTrace& trace, Dispatch dispatch, const Matrix<std::uint32_t>& place,
                                     std::size_t positions)
    : place_(place), positions_(positions), nets_of_(place.rows() * place.cols()),
      held_(trace.tokens * trace.layers * positions), seen_(trace.tokens * trace.layers) {
    Net net = 0;
    const auto join = [&](std::size_t layer, ExpertIndex e) {
        if (e == no_expert) return;
        nets_of_[layer * experts() + e].push_back(net);
        ++held_[std::size_t{net} * positions_ + place_(layer, e)];
    };
    for (std::size_t l = 0; l < trace.layers; ++l)
        for (std::size_t t = 0; t < trace.tokens; ++t, ++net) {
            for (const ExpertIndex e : trace.at(t, l)) join(l, e);
            if (dispatch == Dispatch::coherent && l > 0) join(l - 1, trace.at(t, l - 1)[0]);
        }
}

std::int64_t ConnectivityState::value() const {
    return std::count_if(held_.begin(), held_.end(), [](auto h) { return h > 0; });
}

std::int32_t ConnectivityState::increase(std::size_t layer, std::size_t a, std::size_t b) {
    if (++call_ == 0) {
        std::fill(seen_.begin(), seen_.end(), 0U);
        call_ = 1;
    }
    const std::size_t p = at(layer, a), q = at(layer, b);
    std::int32_t sum = 0;
    for (const Net net : nets_of_[layer * experts() + a]) {
        sum += move(net, p, q);
        seen_[net] = call_;
    }
    // A net with both keeps what it has.
    for (const Net net : nets_of_[layer * experts() + b])
        sum += seen_[net] == call_ ? -move(net, p, q) : move(net, q, p);
    return sum;
}

void ConnectivityState::swap(std::size_t layer, std::size_t a, std::size_t b) {
    const std::size_t p = at(layer, a), q = at(layer, b);
    const auto change = [&](std::size_t e, std::size_t from, std::size_t to) {
        for (const Net net : nets_of_[layer * experts() + e]) {
            --held_[std::size_t{net} * positions_ + from];
            ++held_[std::size_t{net} * positions_ + to];
        }
        place_(layer, e) = static_cast<std::uint32_t>(to);
    };
    change(a, p, q);
    change(b, q, p);
}

}  // namespace moesim
