#include "calibrate/measure/kernel_grid.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <set>

namespace moesim {
namespace {

std::int64_t half(std::int64_t width) { return std::max<std::int64_t>(16, (width / 2 + 15) / 16 * 16); }

// Other widths, one after the other, and then what an operation is told of choices: enough that a law of three or four
// costs is known without any one of them.
std::vector<LayerShape> shapes_around(const LayerShape& asked, bool quick) {
    LayerShape narrow = asked, wide = asked, thin = asked, thick = asked, few = asked, many = asked;
    narrow.hidden = half(asked.hidden);
    wide.hidden = asked.hidden + half(asked.hidden);
    thin.inner = half(asked.inner);
    thick.inner = 2 * asked.inner;
    few.local = std::max<std::int64_t>(1, asked.local / 2);
    few.experts = std::max(asked.top_k, asked.experts / 2);
    few.ranks = std::max<std::int64_t>(1, asked.ranks / 2);
    many.experts = std::min<std::int64_t>(2 * asked.experts, 16'384);
    many.local = asked.local + (asked.local + 1) / 2;
    many.top_k = std::min(asked.top_k + (asked.top_k + 1) / 2, many.experts);
    if (asked.attention) {  // fewer heads; shorter and longer sequences
        narrow.attention->kv_heads = 1;
        narrow.attention->heads = std::max<std::int64_t>(1, asked.attention->heads / 2);
        few.batch.tokens_per_sequence = std::max<std::int64_t>(1, asked.batch.tokens_per_sequence / 2);
        many.batch.tokens_per_sequence = 2 * asked.batch.tokens_per_sequence;
    }
    if (quick) return {asked, narrow, wide, few, many};
    LayerShape small = narrow;
    small.inner = thin.inner;
    small.experts = few.experts;
    small.local = few.local;
    return {asked, narrow, wide, thin, thick, few, many, small};
}

// From 4 to `most`, each the same factor above the one before, with `others` among them.
std::vector<std::int64_t> sizes_to(std::int64_t most, int count, std::initializer_list<std::int64_t> others) {
    most = std::max<std::int64_t>(most, 8);
    std::set<std::int64_t> sizes;
    for (const std::int64_t o : others) sizes.insert(std::clamp<std::int64_t>(o, 1, most));
    for (int i = 0; i < count; ++i)
        sizes.insert(std::llround(4 * std::pow(static_cast<double>(most) / 4, i / (count - 1.0))));
    return {sizes.begin(), sizes.end()};
}

KernelGrid grid_of(const LayerShape& shape, std::int64_t tokens, std::int64_t chunk, bool quick) {
    return {shapes_around(shape, quick), sizes_to(2 * tokens, quick ? 4 : 8, {tokens, chunk})};
}

}  // namespace

KernelGrid kernel_grid(const Scenario& s, bool quick) {
    LayerShape shape;
    shape.hidden = s.model.hidden;
    shape.inner = std::max<std::int64_t>(1, s.model.expert_ffn / s.parallelism.tensor);
    shape.experts = s.model.experts;
    shape.ranks = s.parallelism.expert;
    shape.local = std::max<std::int64_t>(1, s.model.experts / s.parallelism.expert);
    shape.top_k = s.model.top_k;
    shape.gated = s.model.gated;
    if (s.model.attention) {
        shape.attention = s.model.attention;
        shape.attention->heads /= s.parallelism.tensor;
        shape.attention->kv_heads = (shape.attention->kv_heads + s.parallelism.tensor - 1) / s.parallelism.tensor;
        shape.batch = s.batch;
    }
    const std::int64_t parts = s.parallelism.data * s.schedule.micro_batches;
    const std::int64_t tokens = std::max<std::int64_t>(1, (s.batch.tokens() + parts - 1) / parts);
    return grid_of(shape, tokens, (tokens + s.schedule.chunks - 1) / s.schedule.chunks, quick);
}

KernelGrid default_kernel_grid(bool quick) {
    LayerShape shape{1024, 2048, 32, 4, 2, 8, AttentionSpec{16, 4, 64, true}, {}, true};
    shape.batch.tokens_per_sequence = 256;
    return grid_of(shape, 1024, 256, quick);
}

}  // namespace moesim
