#include "planner/layer_search.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace moesim {
namespace {

constexpr std::int64_t deal_every = 1500;  // proposals from one deal of two positions to the next
constexpr std::size_t dealt = 4;           // experts of each of them that are dealt out: 70 ways

// All sets of k of n, as bits, each one exchange from the one before: the revolving door (Nijenhuis and Wilf,
// "Combinatorial Algorithms", 1978): those without the last, then backwards those with it.
std::vector<std::uint32_t> revolving_door(std::size_t n, std::size_t k) {
    if (k == 0) return {0};
    if (k == n) return {(1U << n) - 1};
    std::vector<std::uint32_t> sets = revolving_door(n - 1, k), with = revolving_door(n - 1, k - 1);
    for (auto s = with.rbegin(); s != with.rend(); ++s) sets.push_back(*s | 1U << (n - 1));
    return sets;
}

double blend(const LayerTimeState::Value& value, double trust) {
    return trust * value.time + (1 - trust) * value.guide;
}

bool holds(const LayerTimeState::Copies& copies, std::uint32_t position) {
    return std::find(copies.begin(), copies.end(), position) != copies.end();
}

}  // namespace

LayerSearch::LayerSearch(const LayerTimeModel& model, LayerId layer, const std::vector<Copies>& start,
                         std::vector<std::size_t> most, RandomStream random)
    : state_(model, layer, start), most_(std::move(most)), random_(random), now_(state_.value()), best_time_(now_.time),
      best_guide_(now_.guide), best_(start) {
    rooms_ = std::accumulate(most_.begin(), most_.end(), std::size_t{0}) > model.experts();
    state_.keep();
}

// Every second proposal begins at the position that computes longest: elsewhere little is gained.
std::size_t LayerSearch::any_position() {
    return below(2) == 0 ? state_.heaviest() : std::size_t{below(state_.positions())};
}

bool LayerSearch::replace(std::size_t expert, std::uint32_t from, std::uint32_t to) {
    Copies copies = state_.copies(expert);
    if (from == to || holds(copies, to)) return false;
    *std::find(copies.begin(), copies.end(), from) = to;
    std::sort(copies.begin(), copies.end());
    state_.set(expert, copies);
    return true;
}

bool LayerSearch::add(std::size_t expert, std::uint32_t position) {
    Copies copies = state_.copies(expert);
    if (holds(copies, position)) return false;
    copies.insert(std::lower_bound(copies.begin(), copies.end(), position), position);
    state_.set(expert, copies);
    return true;
}

bool LayerSearch::drop(std::size_t expert, std::uint32_t position) {
    Copies copies = state_.copies(expert);
    if (copies.size() < 2) return false;
    copies.erase(std::find(copies.begin(), copies.end(), position));
    state_.set(expert, copies);
    return true;
}

bool LayerSearch::propose_swap() {
    const auto p = static_cast<std::uint32_t>(any_position());
    const std::uint32_t q = below(state_.positions());
    if (p == q || state_.at(p).empty() || state_.at(q).empty()) return false;
    const std::uint32_t a = state_.at(p)[below(state_.at(p).size())], b = state_.at(q)[below(state_.at(q).size())];
    if (a == b || holds(state_.copies(a), q) || holds(state_.copies(b), p)) return false;
    return replace(a, p, q) && replace(b, q, p);
}

bool LayerSearch::propose_move() {
    const auto p = static_cast<std::uint32_t>(any_position());
    const std::uint32_t q = below(state_.positions());
    if (!room(q) || state_.at(p).empty()) return false;
    return replace(state_.at(p)[below(state_.at(p).size())], p, q);
}

// A copy more of an expert of a busy position, on a free place or on that of a copy that others have too.
bool LayerSearch::propose_more() {
    const auto p = static_cast<std::uint32_t>(any_position());
    const std::uint32_t q = below(state_.positions());
    if (state_.at(p).empty()) return false;
    const std::uint32_t e = state_.at(p)[below(state_.at(p).size())];
    if (holds(state_.copies(e), q)) return false;
    if (!room(q)) {
        if (state_.at(q).empty()) return false;
        if (!drop(state_.at(q)[below(state_.at(q).size())], q)) return false;
    }
    return add(e, q);
}

bool LayerSearch::propose_less() {
    const auto p = static_cast<std::uint32_t>(any_position());
    if (state_.at(p).empty()) return false;
    return drop(state_.at(p)[below(state_.at(p).size())], p);
}

bool LayerSearch::propose() {
    if (!rooms_) return propose_swap();
    switch (below(8)) {
        case 0: return propose_move();
        case 1:
        case 2: return propose_more();
        case 3: return propose_less();
        default: return propose_swap();
    }
}

void LayerSearch::accept(const LayerTimeState::Value& value) {
    state_.keep();
    now_ = value;
    if (value.time > best_time_ || (value.time == best_time_ && value.guide >= best_guide_)) return;
    best_time_ = value.time;
    best_guide_ = value.guide;
    best_ = state_.all_copies();
}

// Up to `dealt` experts of the position that computes longest and of another one are shared out between the two in
// every way that keeps their counts; the best is taken. Each way is one swap from the one before.
std::int64_t LayerSearch::deal_two_positions(double trust) {
    const auto p = static_cast<std::uint32_t>(any_position());
    const std::uint32_t q = below(state_.positions());
    if (p == q) return 1;
    std::vector<std::uint32_t> all;
    const auto take = [&](std::uint32_t from, std::uint32_t other) {
        std::vector<std::uint32_t> own;
        for (const std::uint32_t e : state_.at(from))
            if (!holds(state_.copies(e), other) && std::find(own.begin(), own.end(), e) == own.end()) own.push_back(e);
        const std::size_t n = std::min(dealt, own.size());
        for (std::size_t i = 0; i < n; ++i) {
            std::swap(own[i], own[i + below(own.size() - i)]);
            all.push_back(own[i]);
        }
        return n;
    };
    const std::size_t own = take(p, q);
    if (take(q, p) == 0 || own == 0) return 1;
    // Bits: the experts that are at p; the first set is the first ones, what there is.
    const std::vector<std::uint32_t> sets = revolving_door(all.size(), own);
    const auto go = [&](std::uint32_t from, std::uint32_t to) {
        for (std::uint32_t leave = from & ~to, come = to & ~from; leave != 0; leave &= leave - 1, come &= come - 1) {
            replace(all[static_cast<std::size_t>(std::countr_zero(leave))], p, q);
            replace(all[static_cast<std::size_t>(std::countr_zero(come))], q, p);
        }
    };
    std::uint32_t best = sets[0], at = sets[0];
    LayerTimeState::Value least = now_;
    for (std::size_t i = 1; i < sets.size(); ++i) {
        go(at, sets[i]);
        at = sets[i];
        const LayerTimeState::Value value = state_.value();
        if (blend(value, trust) < blend(least, trust)) least = value, best = at;
        state_.keep();
    }
    go(at, best);
    state_.value();
    accept(least);
    return static_cast<std::int64_t>(sets.size());
}

// How much a proposal changes the objective, by and large.
double LayerSearch::mean_change(std::int64_t proposals) {
    double sum = 0;
    std::int64_t seen = 0;
    for (std::int64_t i = 0; i < proposals; ++i) {
        if (propose()) {
            sum += std::abs(state_.value().guide - now_.guide);
            ++seen;
        }
        state_.undo();
    }
    return seen > 0 ? sum / static_cast<double>(seen) : 0;
}

std::int64_t LayerSearch::run(const LayerEffort& effort) {
    constexpr std::int64_t stride = 64;  // proposals at one temperature
    constexpr double cooled = 0.9;       // of the effort; the rest is downhill
    // At first the softened objective, at last the true one with a little of the other, so that it has no plateaus.
    constexpr double truth = 0.95;
    if (state_.positions() < 2 || state_.experts() == 0) return 0;
    std::int64_t made = 0, next_deal = deal_every;
    double unit = 0;
    if (effort.from > 0) {
        made = effort.passed ? stride : std::min(stride, effort.proposals / 10);
        unit = mean_change(made);
    }
    for (;;) {
        const double passed =
            effort.passed ? effort.passed() : static_cast<double>(made) / static_cast<double>(effort.proposals);
        if (!(passed < 1)) return made;
        const double part = std::min(passed / cooled, 1.0), trust = truth * part;
        const double temperature =
            effort.from > 0 && part < 1 ? unit * effort.from * std::pow(effort.to / effort.from, part) : 0;
        const std::int64_t end = effort.passed ? made + stride : std::min(made + stride, effort.proposals);
        while (made < end) {
            if (made >= next_deal) {
                next_deal = made + deal_every;
                made += deal_two_positions(trust);
                continue;
            }
            ++made;
            if (!propose()) {
                state_.undo();
                continue;
            }
            const LayerTimeState::Value value = state_.value();
            const double increase = blend(value, trust) - blend(now_, trust);
            if (increase <= 0 || (temperature > 0 && random_.uniform() < std::exp(-increase / temperature)))
                accept(value);
            else
                state_.undo();
        }
    }
}

}  // namespace moesim
