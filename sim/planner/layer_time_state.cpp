#include "planner/layer_time_state.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "traffic/copy_chooser.hpp"

namespace moesim {
namespace {

// A maximum of many, and one that feels all of them: (mean of the eighth powers)^(1/8) is the maximum where all are
// equal, and two thirds of it or so where few are near it.
struct Peaks {
    double max = 0, soft = 0;
};

// Whether a value is among so many, four at a time: a difference of 0 is the only one that borrows its top bit where
// that was not set (Warren, "Hacker's Delight", 2003, 6-1).
constexpr std::size_t lanes = 4;
inline bool among(const std::uint16_t* values, std::size_t n, std::uint16_t value) {
    constexpr std::uint64_t ones = 0x0001'0001'0001'0001, tops = 0x8000'8000'8000'8000;
    std::uint64_t zero = 0;
    for (std::size_t block = 0; block < n; block += lanes) {
        std::uint64_t four = 0;
        std::memcpy(&four, values + block, sizeof four);
        four ^= value * ones;
        zero |= (four - ones) & ~four & tops;
    }
    return zero != 0;
}

double eighth(double v) {
    v *= v;
    v *= v;
    return v * v;
}

template <class At>
Peaks peaks(std::size_t n, At at) {
    // Four at a time, so that the sums do not wait for each other.
    std::array<double, 4> most = {}, sum = {};
    std::size_t i = 0;
    const auto take = [&](std::size_t lane, double v) {
        most[lane] = most[lane] < v ? v : most[lane];
        sum[lane] += eighth(v);
    };
    for (; i + 4 <= n; i += 4)
        for (std::size_t lane = 0; lane < 4; ++lane) take(lane, at(i + lane));
    for (; i < n; ++i) take(0, at(i));
    const double max = std::max({most[0], most[1], most[2], most[3]});
    if (n == 0 || max <= 0) return {};
    return {max, std::sqrt(std::sqrt(std::sqrt((sum[0] + sum[1] + sum[2] + sum[3]) / static_cast<double>(n))))};
}

}  // namespace

LayerTimeState::LayerTimeState(const LayerTimeModel& model, LayerId layer, const std::vector<Copies>& copies)
    : model_(model), flows_(model.flows()), dedup_(model.dedup()), stride_((model.width() + lanes - 1) / lanes * lanes),
      copies_(model.experts()), held_(model.positions()), places_(model.experts()),
      where_(model.tokens() * stride_, nowhere), count_(held_.size(), copies_.size()), received_(held_.size()),
      load_(flows_.out().size()), seconds_(held_.size()), dirty_(held_.size()), change_(flows_.flows()) {
    for (std::size_t s = 0; s < positions(); ++s)
        source_.insert(source_.end(), model.source_begin(s + 1) - model.source_begin(s), static_cast<std::uint16_t>(s));
    for (std::size_t t = 0; t < model.tokens(); ++t) {
        const auto chosen = model.choices(t, layer);
        for (std::size_t k = 0; k < chosen.size(); ++k)
            if (chosen[k] != no_expert) places_[chosen[k]].push_back(static_cast<std::uint32_t>(t * stride_ + k));
    }
    for (const double v : flows_.out()) out_.push_back(v * model.dispatch_bytes());
    for (const double v : flows_.back()) back_.push_back(v * model.return_bytes());
    mirror_ = model.return_bytes() / model.dispatch_bytes();
    mirrored_ = flows_.out() == flows_.back();
    for (std::size_t e = 0; e < experts(); ++e) set(e, copies[e]);
    for (std::size_t p = 0; p < positions(); ++p) touch(p);
    value();
    keep();
}

void LayerTimeState::touch(std::size_t position) {
    if (dirty_[position] != 0) return;
    dirty_[position] = 1;
    touched_.push_back(static_cast<std::uint32_t>(position));
}

inline void LayerTimeState::add_flow(std::size_t flow, std::int32_t rows) {
    if (change_[flow] == 0) changed_.push_back(static_cast<std::uint32_t>(flow));
    change_[flow] += rows;
}

// One choice of a token comes to a position or leaves it; where_ holds the token's other choices.
inline void LayerTimeState::add_rows(std::size_t token, std::uint16_t position, std::int32_t rows) {
    const std::size_t source = source_[token];
    const std::uint16_t* others = where_.data() + token * stride_;
    if (dedup_ != Dedup::none && among(others, stride_, position)) return;
    add_flow(flows_.to_position(source, position), rows);
    if (dedup_ != Dedup::node) return;
    const std::size_t node = flows_.node(position);
    for (std::size_t k = 0; k < stride_; ++k)
        if (others[k] != nowhere && flows_.node(others[k]) == node) return;
    add_flow(flows_.to_node(source, node), rows);
}

inline void LayerTimeState::move(std::size_t expert, std::uint32_t place, std::uint16_t to) {
    const std::uint16_t from = where_[place];
    const std::size_t token = place / stride_;
    where_[place] = nowhere;
    if (from != nowhere) {
        add_rows(token, from, -1);
        --count_(from, expert);
        touch(from);
    }
    if (to != nowhere) {
        add_rows(token, to, 1);
        ++count_(to, expert);
        touch(to);
    }
    where_[place] = to;
}

void LayerTimeState::release(std::size_t expert) {
    for (const std::uint32_t p : copies_[expert]) {
        auto& held = held_[p];
        *std::find(held.begin(), held.end(), static_cast<std::uint32_t>(expert)) = held.back();
        held.pop_back();
    }
}

void LayerTimeState::hold(std::size_t expert, const Copies& copies) {
    for (const std::uint32_t p : copies) held_[p].push_back(static_cast<std::uint32_t>(expert));
    copies_[expert] = copies;
}

void LayerTimeState::set(std::size_t expert, const Copies& copies) {
    before_.push_back({static_cast<std::uint32_t>(expert), copies_[expert], moved_.size()});
    release(expert);
    hold(expert, copies);
    const auto go = [&](std::uint32_t place, std::size_t to) {
        if (where_[place] == to) return;
        moved_.push_back({place, where_[place]});
        move(expert, place, static_cast<std::uint16_t>(to));
    };
    if (copies.front() == copies.back()) {
        for (const std::uint32_t place : places_[expert]) go(place, copies.front());
        return;
    }
    const Placement alone({{copies}}, positions());
    CopyChooser chooser(alone, LayerId(0), model_.replicas(), model_.group(), model_.fabric());
    for (const std::uint32_t place : places_[expert])
        go(place, chooser.copies().position(chooser.choose(source_[place / stride_], 0)));
}

void LayerTimeState::keep() {
    moved_.clear();
    before_.clear();
    flowed_.clear();
    seconds_were_.clear();
}

void LayerTimeState::undo() {
    settle();
    for (std::size_t i = before_.size(); i-- > 0;) {
        const Before& b = before_[i];
        for (std::size_t m = moved_.size(); m-- > b.moved;) {
            std::uint16_t& at = where_[moved_[m].place];
            if (at != nowhere) --count_(at, b.expert);
            at = moved_[m].from;
            if (at != nowhere) ++count_(at, b.expert);
        }
        moved_.resize(b.moved);
        release(b.expert);
        hold(b.expert, b.copies);
    }
    for (const auto& [flow, rows] : flowed_) add_to_links(flow, -rows);
    for (std::size_t i = seconds_were_.size(); i-- > 0;) seconds_[seconds_were_[i].first] = seconds_were_[i].second;
    for (const std::uint32_t p : touched_) dirty_[p] = 0;
    touched_.clear();
    keep();
}

void LayerTimeState::add_to_links(std::uint32_t flow, std::int32_t rows) {
    for (const GroupFlows::Share& share : flows_.shares(flow)) load_[share.link] += std::int64_t{rows} * share.times;
    if (flow < positions() * positions()) received_[flow % positions()] += rows;
}

void LayerTimeState::settle() {
    for (const std::uint32_t flow : changed_) {
        const std::int32_t rows = change_[flow];
        if (rows == 0) continue;
        change_[flow] = 0;
        add_to_links(flow, rows);
        flowed_.emplace_back(flow, rows);
    }
    changed_.clear();
}

LayerTimeState::Value LayerTimeState::value() {
    settle();
    for (const std::uint32_t p : touched_) {
        scratch_.clear();
        for (const std::uint32_t e : held_[p]) scratch_.push_back(count_(p, e));
        // Two copies of an expert at one position are one matrix product.
        if (scratch_.size() > 1) {
            auto& held = held_[p];
            for (std::size_t i = 1; i < held.size(); ++i)
                if (std::find(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(i), held[i]) !=
                    held.begin() + static_cast<std::ptrdiff_t>(i))
                    scratch_[i] = 0;
        }
        seconds_were_.emplace_back(p, seconds_[p]);
        seconds_[p] = model_.expert_time(p, scratch_, received_[p]).value();
        dirty_[p] = 0;
    }
    touched_.clear();
    const Peaks expert = peaks(positions(), [&](std::size_t p) { return seconds_[p]; });
    heaviest_ = static_cast<std::size_t>(std::max_element(seconds_.begin(), seconds_.end()) - seconds_.begin());
    const auto of = [&](const std::vector<double>& each) {
        return peaks(load_.size(), [&](std::size_t l) { return static_cast<double>(load_[l]) * each[l]; });
    };
    const Peaks out = of(out_), back = mirrored_ ? Peaks{out.max * mirror_, out.soft * mirror_} : of(back_);
    const auto softened = [](const Peaks& p) { return Seconds(0.5 * (p.max + p.soft)); };
    return {model_.together(model_.link_time(out.max), Seconds(expert.max), model_.link_time(back.max)).total.value(),
            model_.together(softened(out), softened(expert), softened(back)).total.value()};
}

}  // namespace moesim
