#pragma once
// Max-min fair sharing of links among very many transfers: the rates of SimGrid's CM02, solved in batches.
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/units.hpp"
#include "network/fluid/island.hpp"

namespace moesim {

// Transfers that start, share links and end. It has no clock: whoever holds it says what time it is, never going back,
// and asks next() when it wants to be asked again.
//
// With tolerance 0 all ends are exact. Otherwise ends that lie close together are computed together (see
// fluid::Island), and a transfer may take its share late, by up to tolerance times what it would last at its share of
// the moment, so that it joins together with others; where few transfers are under way all is exact all the same.
class FluidNetwork {
  public:
    using Link = fluid::Link;
    using Token = fluid::Token;

    FluidNetwork(std::vector<double> capacity, double tolerance);  // [link] bytes a second; 0 for one that has failed

    // A transfer of `bytes` (> 0) over different links, at least one, and at most at `cap` bytes a second.
    void start(double now, std::span<const Link> route, double bytes, double cap, Token token);
    // It ends without being told of; the bytes that it has left. Takes time in proportion to all transfers. Nothing
    // where there is no such transfer, or it has just ended.
    std::optional<double> cancel(double now, Token token);
    void set_capacity(double now, Link link, double capacity);

    // When to call advance() next; infinity where nothing will ever happen. Of all changes made at one moment the
    // first call of this one does the work.
    [[nodiscard]] double next();
    // Tells what has ended at `now` or before, in the order of time.
    void advance(double now, std::vector<Token>& ended);

    [[nodiscard]] std::size_t under_way() const { return under_way_; }  // begun and not ended
    // How often shares were worked out anew.
    [[nodiscard]] std::size_t steps() const { return steps_; }
    // See fluid::Island::coarseness(): the largest so far; 0 where all was exact.
    [[nodiscard]] double coarseness() const { return coarseness_; }

  private:
    // An island, and what has begun on its links and takes no share yet.
    struct Group {
        explicit Group(fluid::Link sink) : island(sink), pending(sink) {}
        fluid::Island island;
        fluid::FlowTable pending;
        std::size_t looked_at = 0;   // of pending: `due` counts them
        double due = fluid::never;   // when the first of pending has to join
        double next = fluid::never;  // its place in queue_
        bool touched = false;        // share out anew, at this moment
        std::vector<Link> links{};   // that its flows take
    };
    Link root(Link link);
    Group& group_of(std::span<const Link> route);
    void touch(Group& group);
    void tell(Group& group, std::vector<Token>& ended);
    void settle_all();
    void settle(Link root);
    void dissolve(Link root);

    fluid::LinkTable links_;
    double tolerance_;
    double now_ = 0;
    std::vector<Link> parent_;                    // [link] union-find: links of one group
    std::vector<std::unique_ptr<Group>> groups_;  // [root], or nothing
    std::set<std::pair<double, Link>> queue_;     // what is next in each group, and its root
    std::vector<Link> unsettled_;                 // groups with changes since they were last settled
    std::vector<Token> told_;                     // ended, and to be told of by the next advance()
    double coarseness_ = 0;
    std::size_t steps_ = 0;
    std::size_t under_way_ = 0;
};

}  // namespace moesim
