#include "calibrate/tile_rules.hpp"

#include "cost/expert_kernel.hpp"
#include "support/catch.hpp"

using namespace moesim;

namespace {

ExpertKernel kernel_of(const std::string& gpu, std::size_t rule) {
    ExpertKernel k;
    k.tiles = tile_rules("vllm", Dtype::bf16, gpu).at(rule);
    return k;
}

const ExpertTile& taken(const ExpertKernel& k, std::int64_t tokens, std::int64_t experts, std::int64_t inner) {
    ExpertCall call;
    call.tokens = tokens, call.experts = experts, call.inner = inner;
    return expert_tile(k, call);
}

}  // namespace

TEST_CASE("vLLM's tuned tiles are those of the nearest count of tokens, on their GPU and for their shape",
          "[calibrate]") {
    // E=8,N=2048 on A100: 128 tokens 32 x 128 x 128, 256 to 1536 64 x 256 x 64, from 2048 on 128 x 128 x 64. Half-way
    // between 128 and 256 lies 192, of which both are as near: the smaller one is taken.
    const ExpertKernel a100 = kernel_of("A100", 0), h100 = kernel_of("H100", 0);
    CHECK(taken(a100, 192, 8, 2048).rows == 32);
    CHECK(taken(a100, 193, 8, 2048).rows == 64);
    CHECK(taken(a100, 1792, 8, 2048).columns == 256);
    CHECK(taken(a100, 1793, 8, 2048).rows == 128);
    CHECK(taken(a100, 1'000'000, 8, 2048).rows == 128);
    CHECK(taken(a100, 1, 1, 14336).depth == 256);
    // Elsewhere the default: 16 x 32 x 64 up to a token an expert, else 64 x 64 x 32 in groups of 8.
    for (const ExpertTile* t : {&taken(a100, 8, 8, 1024), &taken(a100, 16, 16, 2048), &taken(h100, 8, 8, 2048)})
        CHECK((t->rows == 16 && t->columns == 32 && t->depth == 64 && t->group == 1));
    for (const ExpertTile* t : {&taken(a100, 9, 8, 1024), &taken(h100, 4096, 8, 2048)})
        CHECK((t->rows == 64 && t->columns == 64 && t->depth == 32 && t->group == 8));
}

TEST_CASE("vLLM's newer default puts 16 tiles in a group above 128 whole tokens an expert", "[calibrate]") {
    const ExpertKernel k = kernel_of("L40S", 1);
    CHECK(taken(k, 32, 8, 2048).rows == 16);
    CHECK(taken(k, 96, 8, 2048).rows == 32);
    CHECK(taken(k, 512, 4, 2048).rows == 64);
    CHECK(taken(k, 512, 4, 2048).group == 1);  // 512 / 4 = 128
    CHECK(taken(k, 512, 3, 2048).group == 16);
    CHECK(taken(k, 1031, 8, 2048).rows == 128);
    CHECK(taken(k, 1031, 8, 2048).group == 1);  // 128.875, rounded down
    CHECK(taken(k, 1032, 8, 2048).group == 16);
}
