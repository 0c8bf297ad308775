#include "planner/layer_time_state.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
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

std::vector<std::vector<std::uint32_t>> copies_of(const Placement& placement, LayerId layer) {
    std::vector<std::vector<std::uint32_t>> copies;
    copies.reserve(placement.experts());
    for (std::size_t e = 0; e < placement.experts(); ++e) {
        const auto at = placement.replicas(layer, e);
        copies.emplace_back(at.begin(), at.end());
    }
    return copies;
}

LayerTimeState::LayerTimeState(const LayerTimeModel& model, LayerId layer, const std::vector<Copies>& copies)
    : model_(model), layer_(layer), flows_(model.flows()), dedup_(model.dedup()),
      stride_(std::bit_ceil(std::max(model.width(), lanes))),
      shift_(static_cast<std::size_t>(std::countr_zero(stride_))), copies_(model.experts()), held_(model.positions()),
      places_(model.experts()), where_(model.tokens() * stride_, nowhere), count_(held_.size(), copies_.size()),
      received_(held_.size()), load_(flows_.out().size()), seconds_(held_.size()), dirty_(held_.size()),
      change_(flows_.flows()) {
    for (std::size_t s = 0; s < positions(); ++s)
        source_.insert(source_.end(), model.source_begin(s + 1) - model.source_begin(s), static_cast<std::uint16_t>(s));
    for (std::size_t t = 0; t < model.tokens(); ++t) {
        const auto chosen = model.choices(t, layer);
        for (std::size_t k = 0; k < chosen.size(); ++k)
            if (chosen[k] != no_expert) places_[chosen[k]].push_back(static_cast<std::uint32_t>(t * stride_ + k));
    }
    if (dedup_ == Dedup::node) where_node_.assign(where_.size(), nowhere);
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
    if (rows == 0) return;
    if (change_[flow] == 0) changed_.push_back(static_cast<std::uint32_t>(flow));
    change_[flow] += rows;
}

inline void LayerTimeState::put(std::uint32_t place, std::uint16_t position) {
    where_[place] = position;
    if (!where_node_.empty())
        where_node_[place] = position == nowhere ? nowhere : static_cast<std::uint16_t>(flows_.node(position));
}

// A choice that was nowhere comes to a position.
inline void LayerTimeState::come(std::size_t expert, std::uint32_t place, std::uint16_t to) {
    const std::size_t token = place >> shift_;
    const std::size_t source = source_[token], row = token << shift_;
    const std::size_t node = flows_.node(to);
    const bool there = dedup_ != Dedup::none && among(where_.data() + row, stride_, to);
    if (!there) add_flow(flows_.to_position(source, to), 1);
    if (dedup_ == Dedup::node && !among(where_node_.data() + row, stride_, static_cast<std::uint16_t>(node)))
        add_flow(flows_.to_node(source, node), 1);
    ++count_(to, expert);
    touch(to);
    put(place, to);
}

// What most proposals do, so one loop of its own: flows are added up for the tokens of a source, which lie together.
template <std::size_t stride>
void LayerTimeState::carry_rows(std::size_t expert, std::uint16_t from, std::uint16_t to) {
    const auto from_node = static_cast<std::uint16_t>(flows_.node(from));
    const auto to_node = static_cast<std::uint16_t>(flows_.node(to));
    const bool between = dedup_ == Dedup::node && from_node != to_node;
    const std::size_t width = stride == 0 ? stride_ : stride;
    const std::vector<std::uint32_t>& places = places_[expert];
    for (std::size_t i = 0; i < places.size();) {
        const std::size_t source = source_[places[i] >> shift_];
        std::int32_t left = 0, came = 0, left_node = 0, came_node = 0;
        for (; i < places.size() && source_[places[i] >> shift_] == source; ++i) {
            const std::uint32_t place = places[i];
            const std::size_t row = std::size_t{place} >> shift_ << shift_;
            where_[place] = nowhere;
            const bool deduplicated = dedup_ != Dedup::none;
            left += deduplicated && among(where_.data() + row, width, from) ? 0 : 1;
            came += deduplicated && among(where_.data() + row, width, to) ? 0 : 1;
            where_[place] = to;
            if (!between) continue;
            where_node_[place] = nowhere;
            left_node += among(where_node_.data() + row, width, from_node) ? 0 : 1;
            came_node += among(where_node_.data() + row, width, to_node) ? 0 : 1;
            where_node_[place] = to_node;
        }
        add_flow(flows_.to_position(source, from), -left);
        add_flow(flows_.to_position(source, to), came);
        if (!between) continue;
        add_flow(flows_.to_node(source, from_node), -left_node);
        add_flow(flows_.to_node(source, to_node), came_node);
    }
}

void LayerTimeState::carry(std::size_t expert, std::uint16_t from, std::uint16_t to) {
    switch (stride_) {
        case 4: carry_rows<4>(expert, from, to); break;
        case 8: carry_rows<8>(expert, from, to); break;
        default: carry_rows<0>(expert, from, to);
    }
    std::swap(count_(from, expert), count_(to, expert));
    touch(from);
    touch(to);
}

// Choices that were somewhere take turns between copies, token by token.
template <std::size_t stride>
void LayerTimeState::spread_rows(std::size_t expert, CopyChooser& chooser) {
    const std::size_t width = stride == 0 ? stride_ : stride;
    const bool deduplicated = dedup_ != Dedup::none;
    for (const std::uint32_t place : places_[expert]) {
        const std::size_t source = source_[place >> shift_];
        const auto to = static_cast<std::uint16_t>(chooser.copies().position(chooser.choose(source, 0)));
        const std::uint16_t from = where_[place];
        if (from == to) continue;
        moved_.push_back({place, from});
        const std::size_t row = std::size_t{place} >> shift_ << shift_;
        where_[place] = nowhere;
        const std::uint16_t* others = where_.data() + row;
        if (!deduplicated || !among(others, width, from)) add_flow(flows_.to_position(source, from), -1);
        if (!deduplicated || !among(others, width, to)) add_flow(flows_.to_position(source, to), 1);
        where_[place] = to;
        --count_(from, expert);
        ++count_(to, expert);
        touch(from);
        touch(to);
        if (dedup_ != Dedup::node) continue;
        const std::uint16_t from_node = where_node_[place], to_node = static_cast<std::uint16_t>(flows_.node(to));
        if (from_node == to_node) continue;
        where_node_[place] = nowhere;
        const std::uint16_t* nodes = where_node_.data() + row;
        if (!among(nodes, width, from_node)) add_flow(flows_.to_node(source, from_node), -1);
        if (!among(nodes, width, to_node)) add_flow(flows_.to_node(source, to_node), 1);
        where_node_[place] = to_node;
    }
}

void LayerTimeState::spread(std::size_t expert, CopyChooser& chooser) {
    switch (stride_) {
        case 4: spread_rows<4>(expert, chooser); break;
        case 8: spread_rows<8>(expert, chooser); break;
        default: spread_rows<0>(expert, chooser);
    }
}

// Takes carry() back but for its flows.
void LayerTimeState::put_all(std::size_t expert, std::uint16_t from, std::uint16_t to) {
    for (const std::uint32_t place : places_[expert]) put(place, to);
    std::swap(count_(from, expert), count_(to, expert));
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
    const Copies& now = copies_[expert];
    const bool whole = !now.empty() && now.front() == now.back() && copies.front() == copies.back();
    before_.push_back({static_cast<std::uint32_t>(expert), now, moved_.size(), whole});
    if (whole) {
        const auto from = static_cast<std::uint16_t>(now.front());
        release(expert);
        hold(expert, copies);
        if (from != copies.front()) carry(expert, from, static_cast<std::uint16_t>(copies.front()));
        return;
    }
    const bool placed = !now.empty();
    release(expert);
    hold(expert, copies);
    const Placement alone({{copies}}, positions());
    CopyChooser chooser(alone, LayerId(0), model_.replicas(), model_.group(), model_.fabric());
    if (placed) {
        spread(expert, chooser);
        return;
    }
    for (const std::uint32_t place : places_[expert]) {
        moved_.push_back({place, nowhere});
        come(expert, place,
             static_cast<std::uint16_t>(chooser.copies().position(chooser.choose(source_[place >> shift_], 0))));
    }
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
        if (b.carried) {
            const auto from = static_cast<std::uint16_t>(copies_[b.expert].front());
            const auto to = static_cast<std::uint16_t>(b.copies.front());
            if (from != to) put_all(b.expert, from, to);
        }
        for (std::size_t m = moved_.size(); m-- > b.moved;) {
            std::uint16_t& at = where_[moved_[m].place];
            if (at != nowhere) --count_(at, b.expert);
            put(moved_[m].place, moved_[m].from);
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
        seconds_[p] = model_.expert_time(layer_, p, scratch_, received_[p]).value();
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
