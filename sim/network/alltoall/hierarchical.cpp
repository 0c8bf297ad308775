#include "network/alltoall/hierarchical.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "network/alltoall/pairwise.hpp"
#include "network/alltoall/window.hpp"

namespace moesim {
namespace {

// Rows between ranks, in the order of their rounds.
class Collected {
  public:
    explicit Collected(const RankGrid& grid) : grid_(grid) {}
    void add(RankId from, RankId to, std::int64_t rows) { rows_[{round_of(grid_, from, to), from, to}] += rows; }
    void append_to(std::vector<Message>& all, Bytes row) const {
        for (const auto& [key, rows] : rows_) {
            Message m;
            m.from = std::get<1>(key);
            m.to = std::get<2>(key);
            m.bytes = row * rows;
            all.push_back(std::move(m));
        }
    }

  private:
    const RankGrid& grid_;
    std::map<std::tuple<std::size_t, RankId, RankId>, std::int64_t> rows_;
};

}  // namespace

std::vector<Message> HierarchicalAllToAll::messages(const Exchange& exchange, Bytes row) const {
    Collected inside(grid_), between(grid_);
    for (const Hop& hop : exchange.hops) {
        const RankId over = members_.like(hop.from, hop.to);
        if (over != hop.from) inside.add(hop.from, over, hop.rows);
        if (over != hop.to) between.add(over, hop.to, hop.rows);
    }
    std::vector<Message> all;
    inside.append_to(all, row);
    const std::size_t second = all.size();
    std::vector<std::vector<std::uint32_t>> arriving(grid_.ranks());
    for (std::uint32_t i = 0; i < second; ++i) arriving[all[i].to.value()].push_back(i);
    between.append_to(all, row);
    for (std::size_t i = second; i < all.size(); ++i) all[i].after = arriving[all[i].from.value()];
    return all;
}

void HierarchicalAllToAll::hold_back(std::vector<Message>& messages) const {
    // One step first, then the other; there and back.
    const auto crosses = [&](const Message& m) { return fabric_.crosses_nodes(m.from, m.to); };
    if (messages.empty()) return;
    const bool first = crosses(messages.front());
    const auto middle = static_cast<std::size_t>(
        std::find_if(messages.begin(), messages.end(), [&](const Message& m) { return crosses(m) != first; }) -
        messages.begin());
    const std::span<Message> all(messages);
    copy_first(all.first(middle));
    copy_first(all.subspan(middle));
    keep_to_window(all.first(middle), window_, grid_.ranks());
    keep_to_window(all.subspan(middle), window_, grid_.ranks(), middle);
}

// Each sender gathers what it sends into one piece for each destination: reads and writes every byte once.
void HierarchicalAllToAll::copy_first(std::span<Message> step) const {
    std::vector<Bytes> sent(grid_.ranks());
    for (const Message& m : step) sent[m.from.value()] += m.bytes;
    for (Message& m : step) m.delay = roofline_.streaming(2 * sent[m.from.value()].as_double());
}

std::vector<std::int64_t> HierarchicalAllToAll::staged_rows(const Exchange& exchange) const {
    std::vector<std::int64_t> rows(grid_.ranks());
    for (const Hop& hop : exchange.hops) {
        const RankId over = members_.like(hop.from, hop.to);
        if (over == hop.to) continue;
        rows[over.value()] += over == hop.from ? hop.rows : 2 * hop.rows;
    }
    return rows;
}

}  // namespace moesim
