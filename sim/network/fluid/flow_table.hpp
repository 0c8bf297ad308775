#pragma once
// The transfers of one island of the fluid network: what each has left, and which links it takes.
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace moesim::fluid {

// A link, by its place in the arrays of LinkTable.
using Link = std::uint32_t;
// A place in a FlowTable; compact() moves flows.
using Flow = std::uint32_t;
// Whatever the caller calls a transfer.
using Token = std::uint32_t;
// A time that never comes, a rate without a limit, the level of a link that is never full.
inline constexpr double never = std::numeric_limits<double>::infinity();

// Arrays over flows, made to be swept in order: an all-to-all of 4,096 ranks is 16.8 million of them. All routes take
// the same number of places; shorter ones are filled up with a link that nothing ever fills (`sink`).
class FlowTable {
  public:
    // `sink`: see above.
    explicit FlowTable(Link sink) : sink_(sink) {}

    // Links of a route are below 2^31 and different from each other; `bytes` is positive, `cap` the most that the
    // flow ever takes, infinity for no limit;
    // `start` when it began, in seconds.
    void add(std::span<const Link> route, double bytes, double cap, double start, Token name);
    // Takes over the flows of another table, which is left empty.
    void append(FlowTable& other);
    // Drops ended flows; the others keep their order.
    void compact();

    [[nodiscard]] std::size_t size() const { return remaining.size(); }  // ended ones included, until compact()
    [[nodiscard]] std::size_t alive() const { return size() - ended_; }
    [[nodiscard]] std::size_t width() const { return width_; }
    [[nodiscard]] bool capped() const { return !caps_.empty(); }
    [[nodiscard]] double cap(Flow f) const {
        if (caps_.empty()) return never;
        return caps_[f];
    }

    // The route's places. Bit 31 of the first one is `aside`.
    [[nodiscard]] const Link* route(Flow f) const { return routes_.data() + std::size_t{f} * width_; }
    [[nodiscard]] static Link link(Link place) { return place & ~aside_bit; }

    // A flow that stands aside takes no share: it has ended, or a solver has dealt with it. In the route, so that
    // whoever reads the route need not look anywhere else.
    [[nodiscard]] bool aside(Flow f) const { return (*route(f) & aside_bit) != 0; }
    void set_aside(Flow f) { routes_[std::size_t{f} * width_] |= aside_bit; }
    void bring_back(Flow f) { routes_[std::size_t{f} * width_] &= ~aside_bit; }
    void end(Flow f) {
        set_aside(f);
        ++ended_;
    }

    std::vector<double> remaining;  // [flow] bytes
    std::vector<double> started;    // [flow] seconds
    std::vector<Token> token;       // [flow]

  private:
    static constexpr Link aside_bit = Link{1} << 31U;
    void widen(std::size_t width);

    Link sink_;
    std::size_t width_ = 2;
    std::vector<Link> routes_;  // [flow][width_]
    std::vector<double> caps_;  // [flow], or empty where no flow has one
    std::size_t ended_ = 0;
};

}  // namespace moesim::fluid
