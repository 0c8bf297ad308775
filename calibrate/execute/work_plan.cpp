#include "calibrate/execute/work_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/as_size.hpp"
#include "base/error.hpp"
#include "calibrate/execute/made_model.hpp"
#include "engine/simulate.hpp"
#include "kernels/attention.hpp"
#include "network/alltoall/all_to_all.hpp"
#include "workload/route_stream.hpp"
#include "workload/source_tokens.hpp"

namespace moesim {
namespace {

// The messages of a chunk's dispatch or return, in their order: transfers of the graph.
using Key = std::tuple<Stage, std::size_t, std::size_t, std::size_t>;  // stage, layer, micro-batch, chunk

std::map<Key, std::vector<TaskId>> transfers_of(const TaskGraph& graph) {
    std::map<Key, std::vector<TaskId>> all;
    for (TaskId id = 0; id < graph.tasks().size(); ++id) {
        const Task& t = graph.tasks()[id];
        if (t.kind == TaskKind::transfer)
            all[{t.label.stage, t.label.layer, t.label.micro_batch, t.label.chunk}].push_back(id);
    }
    return all;
}

// Routes the scenario again, source by source, and names the rows of every chunk.
class Planner {
  public:
    Planner(WorkPlan& work, RankId rank)
        : work_(work), plan_(work.result.plan), s_(plan_.scenario), rank_(rank), grid_(s_.parallelism),
          all_to_all_(make_all_to_all(s_.dispatch, s_.profile, grid_, plan_.fabric)), routes_(s_, plan_.policy),
          transfers_(transfers_of(work.result.graph)), message_(work.result.graph.tasks().size()),
          parts_(work.result.graph.tasks().size(), 1) {}

    void run() {
        const auto micro_batches = as_size(s_.schedule.micro_batches);
        for (std::size_t m = 0; m < micro_batches; ++m) {
            work_.batch_tokens.push_back(routes_.tokens(m, rank_.value()));
            work_.tokens.emplace_back();
            for (std::int64_t c = 0; c < s_.schedule.chunks; ++c)
                work_.tokens.back().push_back(part_of({0, work_.batch_tokens[m].size()}, s_.schedule.chunks, c));
        }
        for (std::size_t l = 0; l < as_size(s_.model.moe_layers); ++l) {
            work_.batches.emplace_back();
            for (std::size_t m = 0; m < micro_batches; ++m) work_.batches.back().push_back(batch(l, m));
        }
        work_.local = local_tasks(work_.result.graph, rank_, message_, parts_);
    }

  private:
    BatchWork batch(std::size_t layer, std::size_t micro_batch) {
        std::vector<Routing> sent(grid_.data());
        for (std::size_t d = 0; d < grid_.data(); ++d) routes_.next(LayerId(layer), micro_batch, d, sent[d], true);
        CopyChooser chooser(plan_.placement, LayerId(layer), s_.placement.replicas, grid_, plan_.fabric);
        BatchWork b;
        b.experts = experts_here(LayerId(layer));
        b.rank_of = ranks_of_experts(LayerId(layer));
        for (std::int64_t c = 0; c < s_.schedule.chunks; ++c)
            b.chunks.push_back(chunk(layer, micro_batch, c, sent, b, chooser));
        b.routing = std::move(sent[rank_.value()]);
        return b;
    }

    ChunkRows chunk(std::size_t layer, std::size_t micro_batch, std::int64_t c, const std::vector<Routing>& sent,
                    const BatchWork& b, CopyChooser& chooser) {
        std::vector<std::vector<CopyIndex>> copies(grid_.data());
        std::vector<SourceGates> gates(grid_.data());
        std::vector<SourceCopies> sources;
        for (std::size_t d = 0; d < grid_.data(); ++d) {
            const std::size_t width = sent[d].width;
            const Range part = part_of({0, static_cast<std::int64_t>(sent[d].tokens())}, s_.schedule.chunks, c);
            const auto begin = static_cast<std::ptrdiff_t>(as_size(part.begin) * width),
                       end = static_cast<std::ptrdiff_t>(as_size(part.end) * width);
            gates[d].gates.assign(sent[d].gates.begin() + begin, sent[d].gates.begin() + end);
            gates[d].width = width;
            for (auto i = begin; i < end; ++i) {
                const ExpertIndex e = sent[d].experts[static_cast<std::size_t>(i)];
                copies[d].push_back(e == no_expert ? no_copy : chooser.choose(d, e));
            }
            sources.push_back({d, copies[d], width});
        }
        const Exchange exchange = count_exchange(sources, chooser.copies(), s_.dispatch.dedup, grid_, plan_.fabric);
        const Bytes row(s_.model.hidden * bytes_of(s_.dispatch.dtype));
        const auto messages = all_to_all_->dispatch(exchange, row);
        const RowTree tree =
            rows_of(sources, chooser.copies(), s_.dispatch, exchange, messages, row, grid_, plan_.fabric);
        name_transfers({layer, micro_batch, as_size(c)}, messages);
        const Range own = work_.tokens[micro_batch][as_size(c)];
        return chunk_rows(tree, rank_, rank_.value(), own.size(), b.experts, gates);
    }

    // The graph has the messages of a dispatch in their order, and those of a return in the opposite one.
    void name_transfers(std::array<std::size_t, 3> where, const std::vector<Message>& messages) {
        for (const Stage stage : {Stage::dispatch, Stage::return_}) {
            const auto found = transfers_.find({stage, where[0], where[1], where[2]});
            const std::size_t there = found == transfers_.end() ? 0 : found->second.size();
            if (there != messages.size())
                throw InternalError(fmt::format("layer {}: {} messages in the graph of tasks, {} in the exchange",
                                                where[0], there, messages.size()));
            for (std::size_t i = 0; i < there; ++i) {
                const std::size_t m = stage == Stage::dispatch ? i : there - 1 - i;
                message_[found->second[i]] = static_cast<std::uint32_t>(m);
                parts_[found->second[i]] = messages[m].parts;
            }
        }
    }

    [[nodiscard]] std::vector<ExpertIndex> experts_here(LayerId layer) const {
        const std::size_t position = rank_.value() - grid_.group_begin(rank_.value());
        std::vector<ExpertIndex> here;
        for (std::size_t e = 0; e < plan_.placement.experts(); ++e) {
            const auto at = plan_.placement.replicas(layer, e);
            if (std::find(at.begin(), at.end(), position) != at.end()) here.push_back(static_cast<ExpertIndex>(e));
        }
        return here;
    }
    [[nodiscard]] std::vector<std::uint32_t> ranks_of_experts(LayerId layer) const {
        std::vector<std::uint32_t> ranks;
        for (std::size_t e = 0; e < plan_.placement.experts(); ++e)
            ranks.push_back(
                static_cast<std::uint32_t>(grid_.group_begin(rank_.value()) + plan_.placement.position(layer, e)));
        return ranks;
    }

    WorkPlan& work_;
    const Plan& plan_;
    const Scenario& s_;
    RankId rank_;
    RankGrid grid_;
    std::unique_ptr<const AllToAll> all_to_all_;
    RouteStream routes_;
    std::map<Key, std::vector<TaskId>> transfers_;
    std::vector<std::uint32_t> message_;  // [task]
    std::vector<std::int64_t> parts_;     // [task]
};

}  // namespace

namespace {

bool splits_sequences(const Scenario& s) {
    for (const Range& source : source_tokens(s))
        for (std::int64_t m = 0; m < s.schedule.micro_batches; ++m) {
            const Range tokens = part_of(source, s.schedule.micro_batches, m);
            if ((tokens.begin - s.batch.first_token) % s.batch.tokens_per_sequence != 0 ||
                tokens.size() % s.batch.tokens_per_sequence != 0)
                return true;
        }
    return false;
}

}  // namespace

void check_executable(const Scenario& s, const std::string& origin) {
    const auto refuse = [&](const char* path, const std::string& found, const std::string& expected) {
        throw InputError(fmt::format("{}: {}: found {}, expected {} (what is simulated beyond that is not executed)",
                                     origin, path, found, expected));
    };
    if (s.parallelism.tensor != 1) refuse("$.parallelism.tensor", std::to_string(s.parallelism.tensor), "1");
    if (s.parallelism.sequence != 1) refuse("$.parallelism.sequence", std::to_string(s.parallelism.sequence), "1");
    if (s.model.dtype != Dtype::bf16) refuse("$.model.dtype", std::string(name(s.model.dtype)), "bf16");
    if (s.model.dense_layers_per_moe_layer != 0 && !s.model.attention)
        refuse("$.model.dense_layers_per_moe_layer", std::to_string(s.model.dense_layers_per_moe_layer),
               "0 without attention");
    if (s.model.attention && s.model.attention->head_dim > kernels::most_head_dim)
        refuse("$.model.attention.head_dim", std::to_string(s.model.attention->head_dim),
               fmt::format("at most {}", kernels::most_head_dim));
    if (s.model.attention && splits_sequences(s))
        refuse("$.batch.tokens_per_sequence", std::to_string(s.batch.tokens_per_sequence),
               "micro-batches of whole sequences, since tokens attend to their own sequence");
    if (s.dispatch.algorithm == Algorithm::context_coherent)
        refuse("$.dispatch.algorithm", std::string(name(s.dispatch.algorithm)), "another one");
    if (s.dispatch.library != Library::none) refuse("$.dispatch.library", "a library", "none");
    if (s.dispatch.return_dtype != Dtype::bf16)
        refuse("$.dispatch.return_dtype", std::string(name(s.dispatch.return_dtype)), "bf16");
    if (most_choices(s) > most_exact_terms)
        refuse("$.model.experts", std::to_string(s.model.experts),
               fmt::format("at most {} that choose their tokens", most_exact_terms));
    if (!s.network.faults.links.empty()) refuse("$.network.faults", "faults", "none");
}

WorkPlan work_plan(Plan plan, RankId rank) {
    // Whatever model shares the network when it is simulated, messages are executed one by one.
    plan.scenario.network.model = NetworkKind::fluid;
    plan.scenario.network.jitter = false;
    WorkPlan work{plan_tasks(std::move(plan)), {}, 0, 0, {}, {}, {}};
    const Scenario& s = work.result.plan.scenario;
    work.row_bytes = s.model.hidden * bytes_of(s.dispatch.dtype);
    work.return_row_bytes = s.model.hidden * bytes_of(s.dispatch.return_dtype);
    Planner(work, rank).run();
    return work;
}

}  // namespace moesim
