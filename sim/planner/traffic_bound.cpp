#include "planner/traffic_bound.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "base/matrix.hpp"

namespace moesim {
namespace {

using Prices = Matrix<double>;  // [source][place]: of a row

double sum_of_largest(std::vector<double>& values, std::size_t n) {
    if (n < values.size())
        std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(n), values.end(),
                         std::greater<>());
    return std::accumulate(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(std::min(n, values.size())),
                           0.0);
}

// Rows of a layer that are counted by places: by GPUs, or by nodes.
struct Places {
    std::vector<std::size_t> room;  // [place]: copies
    bool once = true;               // a token pays for a place once, not once a choice
};

// What a choice pays at least: `alone` is the sum of prices of choices, `shared` the same counted once for each other
// choice in its place, or more.
double cheapest(double alone, double shared, std::size_t most) {
    double best = alone / static_cast<double>(most);
    for (std::size_t j = 1; j < most; ++j) {
        const auto real = static_cast<double>(j);
        best = std::max(best, 2 / (real + 1) * alone - shared / (real * (real + 1)));
    }
    return best;
}

class LayerChoices {
  public:
    LayerChoices(const LayerTimeModel& model, LayerId layer)
        : model_(model), layer_(layer), chosen_(model.positions(), model.experts()), tokens_(model.experts()) {
        for (std::size_t s = 0; s < model.positions(); ++s)
            for (std::size_t t = model.source_begin(s); t < model.source_begin(s + 1); ++t)
                for (const ExpertIndex e : model.choices(t, layer))
                    if (e != no_expert) {
                        ++chosen_(s, e);
                        tokens_[e].emplace_back(static_cast<std::uint32_t>(t), static_cast<std::uint32_t>(s));
                    }
    }

    [[nodiscard]] std::size_t sources() const { return chosen_.rows(); }
    [[nodiscard]] std::size_t experts() const { return chosen_.cols(); }
    [[nodiscard]] double chosen(std::size_t source, std::size_t expert) const { return chosen_(source, expert); }
    [[nodiscard]] std::size_t width() const { return model_.width(); }

    // [source][expert]: tokens that chose the other expert, too.
    [[nodiscard]] Matrix<double> with(std::size_t expert) const {
        Matrix<double> others(sources(), experts());
        for (const auto& [token, source] : tokens_[expert])
            for (const ExpertIndex e : model_.choices(token, layer_))
                if (e != no_expert && e != expert) ++others(source, e);
        return others;
    }

  private:
    const LayerTimeModel& model_;
    LayerId layer_;
    Matrix<double> chosen_;                                                     // [source][expert]
    std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> tokens_;  // [expert]: token, source
};

// Sums over sources of what they have, at the prices of a place: most sources pay the same.
class PlacePrice {
  public:
    PlacePrice(const Prices& prices, std::size_t place) {
        std::map<double, std::size_t> times;
        for (std::size_t s = 0; s < prices.rows(); ++s) ++times[prices(s, place)];
        for (const auto& [price, n] : times)
            if (n > most_) most_ = n, usual_ = price;
        for (std::size_t s = 0; s < prices.rows(); ++s)
            if (prices(s, place) != usual_) others_.emplace_back(s, prices(s, place) - usual_);
    }
    bool operator<(const PlacePrice& o) const { return std::pair(usual_, others_) < std::pair(o.usual_, o.others_); }
    [[nodiscard]] double of(const Matrix<double>& each, const std::vector<double>& all, std::size_t column) const {
        double sum = usual_ * all[column];
        for (const auto& [source, more] : others_) sum += more * each(source, column);
        return sum;
    }

  private:
    double usual_ = 0;
    std::size_t most_ = 0;
    std::vector<std::pair<std::size_t, double>> others_;
};

std::vector<double> column_sums(const Matrix<double>& m) {
    std::vector<double> sums(m.cols());
    for (std::size_t r = 0; r < m.rows(); ++r)
        for (std::size_t c = 0; c < m.cols(); ++c) sums[c] += m(r, c);
    return sums;
}

// One copy of each expert: [expert][place], the least that the expert's choices pay there.
Matrix<double> paid_alone(const LayerChoices& choices, const Prices& prices, const Places& places) {
    std::map<std::pair<PlacePrice, std::size_t>, std::vector<std::size_t>> alike;  // places, by price and room
    for (std::size_t p = 0; p < prices.cols(); ++p) alike[{PlacePrice(prices, p), places.room[p]}].push_back(p);
    Matrix<double> chosen(choices.sources(), choices.experts());
    for (std::size_t s = 0; s < choices.sources(); ++s)
        for (std::size_t e = 0; e < choices.experts(); ++e) chosen(s, e) = choices.chosen(s, e);
    const std::vector<double> all = column_sums(chosen);
    Matrix<double> paid(choices.experts(), prices.cols());
    const bool shares = places.once && *std::max_element(places.room.begin(), places.room.end()) > 1;
    for (std::size_t e = 0; e < choices.experts(); ++e) {
        const Matrix<double> others = shares ? choices.with(e) : Matrix<double>(choices.sources(), choices.experts());
        const std::vector<double> all_others = column_sums(others);
        std::vector<double> shared(choices.experts());
        for (const auto& [price_and_room, of] : alike) {
            const auto& [price, room] = price_and_room;
            double least = price.of(chosen, all, e);
            if (places.once) {
                const std::size_t most = std::min(room, choices.width());
                if (most > 1)
                    for (std::size_t f = 0; f < shared.size(); ++f) shared[f] = price.of(others, all_others, f);
                least = most > 1 ? cheapest(least, sum_of_largest(shared, room - 1), most) : least;
            }
            for (const std::size_t p : of) paid(e, p) = least;
        }
    }
    return paid;
}

// Tokens of pairs of experts, a pair once, as many pairs as there is room for.
double together_at_most(const LayerChoices& choices, const Places& places) {
    std::size_t pairs = 0;
    for (const std::size_t room : places.room) {
        const std::size_t n = std::min(room, choices.experts());
        pairs += n * (n - (n > 0 ? 1 : 0)) / 2;
    }
    std::vector<double> tokens;
    for (std::size_t e = 0; e < choices.experts(); ++e) {
        const std::vector<double> others = column_sums(choices.with(e));
        for (std::size_t f = e + 1; f < choices.experts(); ++f)
            if (others[f] > 0) tokens.push_back(others[f]);
    }
    return sum_of_largest(tokens, pairs);
}

// Any number of copies: each source has its own choice of slots.
double paid_with_copies(const LayerChoices& choices, const Prices& prices, const Places& places, double together) {
    double alone = 0, dearest = 0;
    std::size_t most = 1;
    for (const std::size_t room : places.room) most = std::max(most, std::min(room, choices.width()));
    for (std::size_t s = 0; s < choices.sources(); ++s) {
        std::vector<double> chosen;
        for (std::size_t e = 0; e < choices.experts(); ++e)
            if (choices.chosen(s, e) > 0) chosen.push_back(choices.chosen(s, e));
        std::sort(chosen.begin(), chosen.end(), std::greater<>());
        std::vector<std::pair<double, std::size_t>> slots;
        for (std::size_t p = 0; p < prices.cols(); ++p) slots.emplace_back(prices(s, p), places.room[p]);
        std::sort(slots.begin(), slots.end());
        std::size_t next = 0;
        for (const auto& [price, room] : slots) {
            dearest = std::max(dearest, price);
            for (std::size_t i = 0; i < room && next < chosen.size(); ++i) alone += price * chosen[next++];
        }
    }
    return places.once ? cheapest(alone, 2 * dearest * together, most) : alone;
}

// [source][place] for GPUs and for nodes, from a price of each flow.
struct FlowPrices {
    Prices positions, nodes;
    bool operator<(const FlowPrices& o) const {
        return std::tie(positions.values(), nodes.values()) < std::tie(o.positions.values(), o.nodes.values());
    }
};

// Prices by alike links, in rows on any of them for each of a flow, and what one is in seconds a byte.
std::vector<std::pair<FlowPrices, double>> prices_of(const GroupFlows& flows, const std::vector<double>& each) {
    std::vector<std::size_t> carried(each.size()), rows(each.size());
    for (std::size_t f = 0; f < flows.flows(); ++f)
        for (const GroupFlows::Share& share : flows.shares(f)) {
            ++carried[share.link];
            rows[share.link] += static_cast<std::size_t>(share.times);
        }
    std::map<std::tuple<double, std::size_t, std::size_t>, std::vector<std::size_t>> alike;
    for (std::size_t l = 0; l < each.size(); ++l)
        if (each[l] > 0) alike[{each[l], carried[l], rows[l]}].push_back(l);
    std::vector<std::pair<FlowPrices, double>> all;
    for (const auto& [kind, links] : alike) {
        std::vector<bool> in(each.size());
        for (const std::size_t l : links) in[l] = true;
        const double unit = std::get<0>(kind) / static_cast<double>(links.size());
        const auto times = [&](std::size_t flow) {
            double n = 0;
            for (const GroupFlows::Share& share : flows.shares(flow))
                if (in[share.link]) n += share.times;
            return n;
        };
        FlowPrices prices{Prices(flows.positions(), flows.positions()), Prices(flows.positions(), flows.nodes())};
        for (std::size_t s = 0; s < flows.positions(); ++s) {
            for (std::size_t q = 0; q < flows.positions(); ++q) prices.positions(s, q) = times(flows.to_position(s, q));
            for (std::size_t n = 0; n < flows.nodes(); ++n) prices.nodes(s, n) = times(flows.to_node(s, n));
        }
        all.emplace_back(std::move(prices), unit);
    }
    return all;
}

class Bound {
  public:
    Bound(const LayerTimeModel& model, LayerId layer, std::size_t slots)
        : flows_(model.flows()), choices_(model, layer), copies_(slots * model.positions() > model.experts()) {
        const std::size_t positions = flows_.positions();
        by_position_.room.assign(positions, std::min(slots, model.experts()));
        by_position_.once = model.dedup() != Dedup::none;
        by_node_.room.assign(flows_.nodes(), 0);
        for (std::size_t p = 0; p < positions; ++p) by_node_.room[flows_.node(p)] += by_position_.room[p];
        for (std::size_t& room : by_node_.room) room = std::min(room, model.experts());
        if (by_position_.once) together_ = together_at_most(choices_, by_position_);
        if (model.dedup() == Dedup::node) together_in_nodes_ = together_at_most(choices_, by_node_);
        nodes_count_ = model.dedup() == Dedup::node;
    }

    // each: [link], seconds a byte.
    double busiest(const std::vector<double>& each) {
        double most = copies_ ? 0 : of_one_expert(each);
        for (const auto& [prices, unit] : prices_of(flows_, each)) {
            const auto [known, unseen] = paid_.try_emplace(prices, 0.0);
            if (unseen) known->second = paid(prices);
            most = std::max(most, unit * known->second);
        }
        return most;
    }

    // Every copy has the price 1.
    [[nodiscard]] double received() const {
        const Prices one(flows_.positions(), flows_.positions(), 1);
        double least = paid_with_copies(choices_, one, by_position_, together_);
        if (copies_) return least;
        const Matrix<double> at = paid_alone(choices_, one, by_position_);
        double sum = 0;
        for (std::size_t e = 0; e < choices_.experts(); ++e) sum += at(e, 0);
        return std::max(least, sum);
    }

    // A token with h of its experts at a position saves h - 1 copies, 2/h of each pair of them.
    [[nodiscard]] double shared(std::size_t slots) const {
        const std::size_t most = std::min(slots, choices_.width());
        if (!by_position_.once || most < 2) return 0;
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t e = 0; e < choices_.experts(); ++e) {
            std::vector<double> others = column_sums(choices_.with(e));
            others.erase(others.begin() + static_cast<std::ptrdiff_t>(e));
            for (double& o : others) o = -o;
            least = std::min(least, -sum_of_largest(others, slots - 1));
        }
        return static_cast<double>(slots) * least / static_cast<double>(most);
    }

  private:
    [[nodiscard]] double paid(const FlowPrices& prices) const {
        double least = paid_with_copies(choices_, prices.positions, by_position_, together_);
        if (nodes_count_) least += paid_with_copies(choices_, prices.nodes, by_node_, together_in_nodes_);
        if (copies_) return least;
        const Matrix<double> at = paid_alone(choices_, prices.positions, by_position_);
        Matrix<double> in(choices_.experts(), flows_.nodes());
        if (nodes_count_) in = paid_alone(choices_, prices.nodes, by_node_);
        double sum = 0;
        for (std::size_t e = 0; e < choices_.experts(); ++e) {
            double best = at(e, 0) + in(e, flows_.node(0));
            for (std::size_t p = 1; p < flows_.positions(); ++p)
                best = std::min(best, at(e, p) + in(e, flows_.node(p)));
            sum += best;
        }
        return std::max(least, sum);
    }

    // Of the expert that is dearest in its best place.
    [[nodiscard]] double of_one_expert(const std::vector<double>& each) const {
        Matrix<double> least(1, choices_.experts());
        std::vector<double> load(each.size());
        for (std::size_t e = 0; e < choices_.experts(); ++e)
            for (std::size_t q = 0; q < flows_.positions(); ++q) {
                double most = 0;
                std::vector<std::uint32_t> touched;
                const auto add = [&](std::size_t flow, double rows) {
                    for (const GroupFlows::Share& share : flows_.shares(flow)) {
                        load[share.link] += rows * share.times;
                        most = std::max(most, load[share.link] * each[share.link]);
                        touched.push_back(share.link);
                    }
                };
                for (std::size_t s = 0; s < flows_.positions(); ++s) {
                    const double rows = choices_.chosen(s, e);
                    if (rows <= 0) continue;
                    add(flows_.to_position(s, q), rows);
                    if (nodes_count_ && flows_.node(q) != flows_.node(s)) add(flows_.to_node(s, flows_.node(q)), rows);
                }
                for (const std::uint32_t link : touched) load[link] = 0;
                least(0, e) = q == 0 ? most : std::min(least(0, e), most);
            }
        return choices_.experts() > 0 ? *std::max_element(least.row(0).begin(), least.row(0).end()) : 0;
    }

    const GroupFlows& flows_;
    LayerChoices choices_;
    bool copies_, nodes_count_ = false;
    Places by_position_, by_node_;
    double together_ = 0, together_in_nodes_ = 0;
    std::map<FlowPrices, double> paid_;
};

}  // namespace

LeastTraffic least_traffic(const LayerTimeModel& model, LayerId layer, std::size_t slots) {
    Bound bound(model, layer, slots);
    return {bound.busiest(model.flows().out()), bound.busiest(model.flows().back()), bound.received(),
            bound.shared(slots)};
}

}  // namespace moesim
