#pragma once
// Flows that share links, directly or through each other, and nothing with any other flow: one clockwork.
#include <vector>

#include "network/fluid/flow_table.hpp"
#include "network/fluid/max_min.hpp"

namespace moesim::fluid {

// Its links are no longer taken by a flow.
void leave_links(const FlowTable& flows, LinkTable& table, Flow f);

// Moves its flows through windows of time. Within one, every flow has one rate. A window ends where flows end; with a
// tolerance, it goes on while more of them end, as long as
//
//     share(l) * (end of a flow - first end in the window) <= tolerance * (end of the flow - its start)
//
// for every flow that ends in it and every full link l, where share(l) is what flows that end in the window until then
// have of l's capacity. Those flows get
// the rate that ends them with the window, and the others what that leaves, so that no capacity is lost and none is
// used twice: what is approximate is only who has it when inside the window. An end is told at the moment that the
// flow's own fair share gives, not at the window's.
class Island {
  public:
    explicit Island(Link sink) : flows_(sink) {}

    [[nodiscard]] FlowTable& flows() { return flows_; }
    [[nodiscard]] const FlowTable& flows() const { return flows_; }
    [[nodiscard]] bool empty() const { return flows_.alive() == 0; }

    // These change what there is to share, as changes of capacity do: advance() to the moment before, share_out()
    // after.
    void join(const LinkTable& table, FlowTable& flows);
    void join(const LinkTable& table, Island& other);
    double cancel(LinkTable& table, Flow f);  // the bytes that it has left
    // Capacities of its links change.
    void forget() {
        changed_ = true;
        max_min_.forget();
    }

    // Moves all flows to the time `now`, at most next(). take_ended() first.
    void advance(LinkTable& table, double now);
    // Begins a window at the time of the last advance().
    void share_out(LinkTable& table, double tolerance);

    // When something is to be done: a flow ends, or the window.
    [[nodiscard]] double next() const;
    // Flows that end at `now` or before and were not told of yet.
    void take_ended(LinkTable& table, double now, std::vector<Token>& ended);

    // What windows have cost: the largest of share * length / age, as above.
    [[nodiscard]] double coarseness() const { return coarseness_; }

  private:
    struct End {
        double at;
        Flow flow;
        bool operator<(const End& o) const { return at != o.at ? at < o.at : flow < o.flow; }
    };
    void catch_up(const LinkTable& table);
    // Catches up from the levels before to those of now; sets end_at_ and returns the first to end.
    template <std::size_t width>
    Flow project_ends(const LinkTable& table);
    // Which flows end together: the first `taken` of candidates_, at the end of the window. 0 if nothing ever ends.
    std::size_t find_window(const LinkTable& table, double tolerance, Flow earliest);
    // Levels of the window, with those flows ending with it.
    void average(LinkTable& table, std::size_t taken);
    void set_caps(double window);

    FlowTable flows_;
    MaxMin max_min_;
    double time_ = 0;    // of the last advance()
    double behind_ = 0;  // how long before that `remaining` is true
    double window_end_ = never;
    double horizon_ = 0;                 // how far behind the first end to look for others
    std::vector<End> ends_;              // flows that end in the window, in order; they stand aside
    std::size_t told_ = 0;               // of those
    std::vector<End> candidates_;        // flows that may end in the window, in the order of their projected ends
    std::vector<double> end_at_;         // [flow], at the rate that it has at the start of the window
    std::vector<MaxMin::Cap> own_caps_;  // flows with a cap of their own, ascending
    std::vector<MaxMin::Cap> caps_;
    std::vector<double> ending_;  // [link] bytes a second of flows that end in the window
    bool indexed_ = false;        // max_min_ and own_caps_ are those of the flows
    bool changed_ = true;         // flows have come or gone otherwise than by ending, or capacities changed
    double left_ = 0;             // the largest share of a full link that ends of the last window had
    double coarseness_ = 0;
};

}  // namespace moesim::fluid
