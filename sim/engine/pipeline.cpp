#include "engine/pipeline.hpp"

#include <algorithm>
#include <array>

namespace moesim {
namespace {

constexpr TaskId nothing = TaskTime::no_cause;

std::int64_t i64(std::size_t v) { return static_cast<std::int64_t>(v); }

}  // namespace

Pipeline::Pipeline(Result& result)
    : result_(result), scenario_(result.plan.scenario), ways_(*result.ways), fabric_(result.plan.fabric),
      messages_(ways_.model(Way::cluster)), grid_(scenario_.parallelism), cost_(scenario_),
      all_to_all_(make_all_to_all(scenario_.dispatch, scenario_.profile, grid_, fabric_)),
      dispatch_call_(make_library_call(scenario_, Direction::dispatch, grid_, fabric_)),
      return_call_(make_library_call(scenario_, Direction::return_, grid_, fabric_)),
      dispatch_bounds_(grid_, ways_, dispatch_call_ ? Way::dispatch : Way::cluster),
      return_bounds_(grid_, ways_, return_call_ ? Way::return_ : Way::cluster), memory_(result.plan),
      compute_tail_(grid_.ranks(), nothing), dispatch_tail_(grid_.ranks(), nothing),
      return_tail_(grid_.ranks(), nothing), tensor_tail_(grid_.ranks(), nothing),
      routes_(scenario_, result.plan.policy), held_bounds_(static_cast<std::size_t>(scenario_.schedule.micro_batches)) {
    LayerLoad empty;
    empty.expert_tokens.resize(static_cast<std::size_t>(scenario_.model.experts));
    empty.rank_tokens.resize(grid_.ranks());
    result_.layers.assign(static_cast<std::size_t>(scenario_.model.moe_layers), empty);
    result_.link_bytes.resize(result.plan.fabric.links().size());
    result_.link_capacity = ways_.shared().capacity();
    result_.rank_bytes = Matrix<std::int64_t>(grid_.ranks(), grid_.ranks());
}

void Pipeline::build(const Progress& progress) {
    const std::size_t layers = result_.layers.size(), micro_batches = held_bounds_.size();
    if (scenario_.dispatch.algorithm == Algorithm::context_coherent) {
        for (std::size_t m = 0; m < micro_batches; ++m) {
            std::vector<std::int64_t> tokens;
            for (std::size_t d = 0; d < grid_.data(); ++d) tokens.push_back(routes_.tokens(m, d).size());
            homes_.emplace_back(grid_, tokens);
        }
        gather_context();
    }
    std::size_t done = 0;
    const auto advance = [&] {
        if (progress) progress("routing", static_cast<double>(++done) / static_cast<double>(layers * micro_batches));
    };
    const auto fresh = [](std::size_t layer, std::size_t micro_batch) {
        Batch b;
        b.layer = layer;
        b.micro_batch = micro_batch;
        return b;
    };
    if (scenario_.schedule.order == Order::sequential) {
        for (std::size_t m = 0; m < micro_batches; ++m)
            for (std::size_t l = 0; l < layers; ++l, advance()) {
                Batch b = fresh(l, m);
                before_experts(b);
                experts(b);
                after_experts(b);
            }
    } else {
        // A micro-batch ends one layer and begins the next before the other ones do, so that its next dispatch runs
        // beside their returns.
        std::vector<Batch> batches;
        for (std::size_t l = 0; l < layers; ++l) {
            std::vector<Batch> next;
            for (std::size_t m = 0; m < micro_batches; ++m, advance()) {
                if (l > 0) after_experts(batches[m]);
                next.push_back(fresh(l, m));
                before_experts(next.back());
            }
            batches = std::move(next);
            for (Batch& b : batches) experts(b);
        }
        for (Batch& b : batches) after_experts(b);
    }
    if (scenario_.network.model == NetworkKind::bound) add_link_bound();
    result_.memory = memory_.layouts();
    result_.launches = all_to_all_->launches();
}

Label Pipeline::label(const Batch& b, Stage stage, Stream stream, std::size_t chunk) const {
    Label l;
    l.stage = stage;
    l.stream = stream;
    l.layer = static_cast<std::uint16_t>(b.layer);
    l.micro_batch = static_cast<std::uint16_t>(b.micro_batch);
    l.chunk = static_cast<std::uint16_t>(chunk);
    return l;
}

TaskId Pipeline::compute(Label label, std::size_t rank, Seconds duration) {
    Task t;
    t.kind = TaskKind::compute;
    t.label = label;
    t.label.rank = RankId(rank);
    t.duration = duration;
    const TaskId id = result_.graph.add(t);
    if (compute_tail_[rank] != nothing) result_.graph.wait(id, compute_tail_[rank]);
    compute_tail_[rank] = id;
    return id;
}

void Pipeline::route(Batch& b) {
    const std::int64_t chunks = scenario_.schedule.chunks;
    const auto [sent, limited] = routes_.next_of_all(LayerId(b.layer), b.micro_batch);
    for (std::size_t d = 0; d < grid_.data(); ++d)
        b.tokens.push_back(homes_.empty() ? i64(sent[d].tokens()) : homes_[b.micro_batch].tokens(d));
    CopyChooser chooser(result_.plan.placement, LayerId(b.layer), scenario_.placement.replicas, grid_, fabric_);
    if (!homes_.empty()) {
        auto parts = homes_[b.micro_batch].move(sent, chunks, chooser, scenario_.dispatch.dedup, fabric_);
        b.exchanges = std::move(parts.out);
        b.returns = std::move(parts.back);
    }
    for (std::int64_t c = 0; c < chunks && homes_.empty(); ++c) {
        std::vector<SourceChoices> sources;
        for (std::size_t d = 0; d < grid_.data(); ++d) {
            const Range part = part_of({0, i64(sent[d].tokens())}, chunks, c);
            const std::size_t width = sent[d].width;
            sources.push_back({d,
                               std::span<const ExpertIndex>(sent[d].experts)
                                   .subspan(static_cast<std::size_t>(part.begin) * width,
                                            static_cast<std::size_t>(part.size()) * width),
                               width});
        }
        b.exchanges.push_back(count_exchange(sources, chooser, scenario_.dispatch.dedup, grid_, fabric_));
        b.exchanges.back().forwarded_rows = all_to_all_->staged_rows(b.exchanges.back());
    }
    count_layer(b, limited.chosen, limited.dropped);
    memory_.add(b.exchanges, b.coming_back());
}

void Pipeline::count_layer(const Batch& b, std::int64_t chosen, std::int64_t dropped) {
    LayerLoad& load = result_.layers[b.layer];
    load.chosen += chosen;
    load.dropped += dropped;
    for (const Exchange& x : b.exchanges)
        for (std::size_t r = 0; r < grid_.ranks(); ++r)
            for (std::size_t e = 0; e < load.expert_tokens.size(); ++e) {
                load.rank_tokens[r] += x.assignments(r, e);
                // Ranks of a tensor-parallel group share each expert: count its tokens once.
                if (grid_.tensor_of(RankId(r)) == 0) load.expert_tokens[e] += x.assignments(r, e);
            }
}

void Pipeline::count_message(const Transfer& t, std::int64_t messages, Volume& purpose) {
    purpose.bytes += t.bytes;
    purpose.messages += messages;
    const Fabric& fabric = result_.plan.fabric;
    (fabric.crosses_nodes(t.from, t.to) ? result_.traffic.between_nodes : result_.traffic.inside_nodes) += t.bytes;
    result_.rank_bytes(t.from.value(), t.to.value()) += t.bytes.value();
    const Route route = fabric.route(t.from, t.to);
    std::array<bool, link_class_count> passed = {};
    for (const LinkId link : route.links()) passed[static_cast<std::size_t>(fabric.link(link).link_class)] = true;
    for (std::size_t c = 0; c < passed.size(); ++c)
        if (passed[c]) purpose.class_bytes[c] += t.bytes;
}

void Pipeline::count_on_links(Way way, RankId from, RankId to, Bytes bytes) {
    const Route route = ways_.fabric(way).route(from, to);
    for (const LinkId link : route.links()) result_.link_bytes[link.value()] += bytes;
}

CollectiveEnds Pipeline::exchange(const Batch& b, std::size_t chunk, Stage stage, std::span<const TaskId> ready,
                                  GroupBounds::Tasks& bounds, const GroupBounds::Tasks& held) {
    const bool out = stage == Stage::dispatch;
    const Dtype dtype = out ? scenario_.dispatch.dtype : scenario_.dispatch.return_dtype;
    const LibraryCall* call = (out ? dispatch_call_ : return_call_).get();
    const Way way = call == nullptr ? Way::cluster : out ? Way::dispatch : Way::return_;
    const Bytes row = call != nullptr ? call->row() : Bytes(scenario_.model.hidden * bytes_of(dtype));
    const auto messages =
        out ? all_to_all_->dispatch(b.exchanges[chunk], row) : all_to_all_->give_back(b.coming_back()[chunk], row);
    const Label what = label(b, stage, out ? Stream::dispatch : Stream::return_, chunk);
    TaskGraph& graph = result_.graph;
    CallMessages carried;
    if (call != nullptr) carried = call->carry(messages, out ? b.exchanges[chunk] : b.coming_back()[chunk]);
    CollectiveEnds ends = call != nullptr ? add_call_ends(graph, what, carried.start_up, carried.least)
                                          : add_collective_ends(graph, what, grid_.ranks());
    const std::vector<Message>& on_links = call != nullptr ? carried.messages : messages;
    if (scenario_.network.model != NetworkKind::bound)
        add_transfers(graph, ends, what, on_links, ways_.fabric(way), ways_.model(way), way);
    else
        bounds = (out ? dispatch_bounds_ : return_bounds_).add(graph, ends, what, on_links, held);
    for (const Message& m : on_links) count_on_links(way, m.from, m.to, m.bytes);
    std::vector<Bytes> sent(grid_.ranks());
    std::vector<bool> takes_part(grid_.ranks(), call != nullptr);
    Volume& volume = out ? result_.traffic.dispatch : result_.traffic.return_;
    if (!messages.empty()) ++volume.calls;
    for (const Message& m : messages) {
        count_message({m.from, m.to, m.bytes}, m.parts, volume);
        sent[m.from.value()] += m.bytes;
        takes_part[m.from.value()] = takes_part[m.to.value()] = true;
    }
    auto& tail = out ? dispatch_tail_ : return_tail_;
    for (std::size_t r = 0; r < grid_.ranks(); ++r) {
        graph.wait(ends.issue[r], ready[r]);
        if (tail[r] != nothing) graph.wait(ends.issue[r], tail[r]);
        tail[r] = ends.done[r];
        Label span = what;
        span.rank = RankId(r);
        if (takes_part[r]) graph.add_span({span, ends.issue[r], ends.done[r], sent[r]});
    }
    return ends;
}

void Pipeline::before_experts(Batch& b) {
    route(b);
    const std::size_t ranks = grid_.ranks();
    std::vector<std::int64_t> tokens(ranks);
    for (std::size_t r = 0; r < ranks; ++r) tokens[r] = b.tokens[grid_.data_of(RankId(r))];
    const std::vector<TaskId> attended = attend(b, tokens);
    const auto summed =
        all_reduce(label(b, Stage::attention, Stream::tensor), attended, tokens, cost_.attention_all_reduces());
    for (std::size_t r = 0; r < ranks; ++r) {
        const TaskId gate = compute(label(b, Stage::gate, Stream::compute), r, cost_.gate(tokens[r]));
        if (summed[r] != attended[r]) result_.graph.wait(gate, summed[r]);
        compute(label(b, Stage::select, Stream::compute), r, cost_.select(tokens[r]));
    }
    const GroupBounds::Tasks held = std::move(held_bounds_[b.micro_batch]);
    held_bounds_[b.micro_batch].clear();
    for (std::size_t c = 0; c < b.exchanges.size(); ++c) {
        std::vector<TaskId> packed(ranks);
        for (std::size_t r = 0; r < ranks; ++r)
            packed[r] = compute(label(b, Stage::pack, Stream::compute, c), r, cost_.pack(b.exchanges[c].sent_rows[r]));
        GroupBounds::Tasks& bounds = b.bounds.emplace_back();
        b.dispatched.push_back(exchange(b, c, Stage::dispatch, packed, bounds, held));
    }
    if (scenario_.model.shared_experts == 0) return;
    std::vector<TaskId> shared(ranks);
    for (std::size_t r = 0; r < ranks; ++r)
        shared[r] = compute(label(b, Stage::expert, Stream::compute), r, cost_.shared_experts(tokens[r]));
    b.shared_done = all_reduce(label(b, Stage::expert, Stream::tensor), shared, tokens, 1);
}

void Pipeline::experts(Batch& b) {
    const std::size_t ranks = grid_.ranks();
    for (std::size_t c = 0; c < b.exchanges.size(); ++c) {
        const Exchange& x = b.exchanges[c];
        std::vector<TaskId> computed(ranks);
        std::vector<std::int64_t> rows(ranks);
        for (std::size_t r = 0; r < ranks; ++r) {
            // What experts of one GPU make of one token is summed up before it goes on: a row a copy.
            rows[r] = x.received_rows[r];
            const Seconds duration =
                cost_.expert(x.assignments.row(r)) + cost_.sum_up(x.computed_rows(r), x.received_rows[r]);
            computed[r] = compute(label(b, Stage::expert, Stream::compute, c), r, duration);
            result_.graph.wait(computed[r], b.dispatched[c].done[r]);
        }
        const auto summed = all_reduce(label(b, Stage::expert, Stream::tensor, c), computed, rows, 1);
        GroupBounds::Tasks bounds;
        b.returned.push_back(exchange(b, c, Stage::return_, summed, bounds, b.bounds[c]));
        auto& held = held_bounds_[b.micro_batch];
        held.resize(bounds.size());
        for (std::size_t g = 0; g < bounds.size(); ++g)
            held[g].insert(held[g].end(), bounds[g].begin(), bounds[g].end());
    }
}

void Pipeline::after_experts(Batch& b) {
    for (std::size_t r = 0; r < grid_.ranks(); ++r) {
        std::int64_t rows = 0, tokens = 0;
        for (const Exchange& x : b.coming_back()) {
            rows += x.sent_rows[r];
            tokens += x.tokens[r];
        }
        const TaskId unpack = compute(label(b, Stage::unpack, Stream::compute), r, cost_.unpack(rows));
        for (const CollectiveEnds& ends : b.returned) result_.graph.wait(unpack, ends.done[r]);
        const TaskId combine = compute(label(b, Stage::combine, Stream::compute), r, cost_.combine(rows, tokens));
        if (!b.shared_done.empty()) result_.graph.wait(combine, b.shared_done[r]);
        compute(label(b, Stage::residual, Stream::compute), r, cost_.residual(tokens));
    }
}

void Pipeline::add_link_bound() {
    Task busiest;
    busiest.kind = TaskKind::delay;
    busiest.label.stage = Stage::dispatch;
    for (std::size_t l = 0; l < result_.link_bytes.size(); ++l)
        busiest.duration = std::max(busiest.duration, result_.link_bytes[l] / result_.link_capacity[l]);
    result_.graph.add(busiest);
}

}  // namespace moesim
