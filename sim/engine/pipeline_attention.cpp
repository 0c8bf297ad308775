// What of a pipeline moves activations, keys and values beside the dispatch and the return: sums over tensor-parallel
// ranks, the context of tokens that will move, and sequences that ranks share.
#include <algorithm>

#include "engine/pipeline.hpp"
#include "engine/ring_attention.hpp"
#include "network/alltoall/choose.hpp"
#include "network/collectives/ring.hpp"
#include "network/collectives/tree.hpp"

namespace moesim {
namespace {

constexpr TaskId nothing = TaskTime::no_cause;

std::int64_t i64(std::size_t v) { return static_cast<std::int64_t>(v); }

}  // namespace

std::vector<TaskId> Pipeline::all_reduce(const Label& label, const std::vector<TaskId>& before,
                                         const std::vector<std::int64_t>& tokens, int times) {
    if (grid_.tensor() == 1 || times == 0) return before;
    std::vector<TaskId> after = before;
    for (std::size_t d = 0; d < grid_.data(); ++d) {
        std::vector<RankId> ranks;
        std::vector<TaskId> own;
        for (std::size_t t = 0; t < grid_.tensor(); ++t) {
            ranks.push_back(grid_.rank(d, t));
            const std::size_t r = ranks.back().value();
            Task issue;
            issue.label = label;
            issue.label.rank = ranks.back();
            own.push_back(result_.graph.add(issue));
            result_.graph.wait(own.back(), before[r]);
            if (tensor_tail_[r] != nothing) result_.graph.wait(own.back(), tensor_tail_[r]);
        }
        const Bytes bytes = cost_.activation(tokens[ranks[0].value()]);
        const auto first = result_.graph.tasks().size();
        const auto add =
            scenario_.parallelism.all_reduce == AllReduce::tree ? add_tree_all_reduce : add_ring_all_reduce;
        const auto done = add(result_.graph, label, ranks, own, bytes, times, scenario_.network.model,
                              result_.plan.fabric, messages_);
        for (std::size_t i = first; i < result_.graph.tasks().size(); ++i) {
            const Task& t = result_.graph.tasks()[i];
            if (t.bytes == Bytes{}) continue;
            count_message({t.label.rank, t.peer, t.bytes}, 1, result_.traffic.tensor);
            count_on_links(Way::cluster, t.label.rank, t.peer, t.bytes);
        }
        for (std::size_t t = 0; t < grid_.tensor(); ++t) {
            after[ranks[t].value()] = tensor_tail_[ranks[t].value()] = done[t];
            Label span = label;
            span.rank = ranks[t];
            if (done[t] != own[t]) result_.graph.add_span({span, own[t], done[t], Bytes{}});
        }
    }
    return after;
}

void Pipeline::gather_context() {
    Label what;
    what.stage = Stage::attention;
    what.stream = Stream::tensor;
    for (std::size_t first = 0; first < grid_.data(); first += grid_.expert())
        for (std::size_t t = 0; t < grid_.tensor(); ++t) {
            std::int64_t tokens = 0;
            std::vector<RankId> ranks;
            std::vector<TaskId> begin;
            for (std::size_t d = first; d < first + grid_.expert(); ++d) {
                for (const TokenHomes& homes : homes_) tokens += homes.tokens(d);
                ranks.push_back(grid_.rank(d, t));
                Task join;
                join.label = what;
                join.label.rank = ranks.back();
                begin.push_back(result_.graph.add(join));
            }
            const auto n = i64(ranks.size());
            const Bytes each = cost_.keys_and_values((tokens + n - 1) / n);
            if (n == 1 || each == Bytes{}) continue;
            // Few bytes go in few steps, many between neighbours: whichever the closed form has for faster.
            const auto ring = ring_all_gather(ranks, each), bruck = bruck_all_gather(ranks, each);
            const Fabric& fabric = result_.plan.fabric;
            const bool few = least_time(bruck, fabric, messages_) < least_time(ring, fabric, messages_);
            const auto& messages = few ? bruck : ring;
            const auto done = add_rounds(result_.graph, what, ranks, begin, messages, scenario_.network.model,
                                         result_.plan.fabric, messages_);
            for (const Message& m : messages) {
                count_message({m.from, m.to, m.bytes}, 1, result_.traffic.context);
                count_on_links(Way::cluster, m.from, m.to, m.bytes);
            }
            for (std::size_t i = 0; i < ranks.size(); ++i) {
                const std::size_t r = ranks[i].value();
                Label span = what;
                span.rank = ranks[i];
                result_.graph.add_span({span, begin[i], done[i], each * (n - 1)});
                compute_tail_[r] = tensor_tail_[r] = done[i];
            }
        }
}

std::vector<TaskId> Pipeline::attend(const Batch& b, const std::vector<std::int64_t>& tokens) {
    std::vector<TaskId> ended(grid_.ranks());
    const auto shared = static_cast<std::size_t>(scenario_.parallelism.sequence);
    if (shared == 1) {
        for (std::size_t r = 0; r < ended.size(); ++r)
            ended[r] = compute(label(b, Stage::attention, Stream::compute), r, cost_.attention(tokens[r]));
        return ended;
    }
    for (std::size_t first = 0; first < grid_.data(); first += shared)
        for (std::size_t t = 0; t < grid_.tensor(); ++t) {
            std::vector<RankId> ranks;
            for (std::size_t d = first; d < first + shared; ++d) ranks.push_back(grid_.rank(d, t));
            attend_on_ring(b, ranks, tokens, ended);
        }
    return ended;
}

void Pipeline::attend_on_ring(const Batch& b, std::span<const RankId> ranks, const std::vector<std::int64_t>& tokens,
                              std::vector<TaskId>& ended) {
    const Label on_gpu = label(b, Stage::attention, Stream::compute),
                on_ring = label(b, Stage::attention, Stream::tensor);
    TaskGraph& graph = result_.graph;
    std::int64_t most = 0;  // all blocks are as large as the largest
    for (const RankId rank : ranks) most = std::max(most, tokens[rank.value()]);
    const std::int64_t length = scenario_.batch.tokens_per_sequence;
    const std::int64_t context = (most * scenario_.batch.context + length - 1) / length;
    const Bytes block = cost_.keys_and_values_of_layer(most + context);
    if (block == Bytes{}) {
        for (const RankId rank : ranks) ended[rank.value()] = compute(on_gpu, rank.value(), Seconds{});
        return;
    }
    std::vector<TaskId> begin;
    for (const RankId rank : ranks) {
        const std::size_t r = rank.value();
        const TaskId projected = compute(on_gpu, r, cost_.projection(tokens[r]));
        Task issue;
        issue.label = on_ring;
        issue.label.rank = rank;
        begin.push_back(graph.add(issue));
        graph.wait(begin.back(), projected);
        if (tensor_tail_[r] != nothing) graph.wait(begin.back(), tensor_tail_[r]);
    }
    const auto messages = two_way_ring_exchange(ranks, block);
    const auto done = add_rounds(graph, on_ring, ranks, begin, messages, scenario_.network.model, fabric_, messages_);
    const std::size_t first = graph.tasks().size() - messages.size();
    const auto steps = ring_steps(ranks, messages);
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        const std::size_t r = ranks[i].value();
        const Seconds rest = cost_.attention(tokens[r]) - cost_.projection(tokens[r]);
        for (const RingStep& step : steps[i]) {
            ended[r] = compute(on_gpu, r, step.share * rest);
            for (const std::size_t m : step.arrivals) graph.wait(ended[r], static_cast<TaskId>(first + m));
        }
        tensor_tail_[r] = done[i];
        Label span = on_ring;
        span.rank = ranks[i];
        graph.add_span({span, begin[i], done[i], block * i64(ranks.size() - 1)});
    }
    for (const Message& m : messages) {
        count_message({m.from, m.to, m.bytes}, 1, result_.traffic.context);
        count_on_links(Way::cluster, m.from, m.to, m.bytes);
    }
}

}  // namespace moesim
