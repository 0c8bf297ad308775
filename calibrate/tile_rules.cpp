#include "calibrate/tile_rules.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace moesim {
namespace {

const char* const vllm_old =
    "vllm-project/vllm get_default_config (fused_moe.py) up to 0.14 at least: bf16 takes 16 x 32 x 64 for calls of no "
    "more tokens than the rank has experts, else 64 x 64 x 32 in groups of 8; block-wise fp8 64 x 128 x 128 in groups "
    "of "
    "32.";
const char* const vllm_tuned =
    " Where fused_moe/configs has tiles for the GPU, the experts of a rank and their width, those of the nearest count "
    "of "
    "tokens: 8 experts 2048 wide, and one 14336 wide.";
const char* const vllm_new =
    "vllm-project/vllm get_default_config (fused_moe.py) of 2026: bf16 takes 16, 32, 64 or 128 rows up to 32, 96, 512 "
    "or more tokens, with 64 columns and depth 128 up to 64 tokens, else 128 and 64, in groups of 16 where there are "
    "more than 128 tokens an expert of the rank, rounded down; block-wise fp8 16 or 64 rows up to 64 or more tokens, "
    "128 "
    "x 128, in groups of 32 above 16 tokens.";
const char* const deep_gemm =
    "deepseek-ai/DeepGEMM: grouped fp8 products in blocks of 128 rows, or 64 for few rows an expert; 128 columns, one "
    "scale each 128 values of depth.";

ExpertTile tile(std::int64_t rows, std::int64_t columns, std::int64_t depth, std::int64_t group) {
    ExpertTile t;
    t.rows = rows, t.columns = columns, t.depth = depth, t.group = group;
    return t;
}
ExpertTile up_to(std::int64_t tokens, ExpertTile t) {
    t.most_tokens = tokens;
    return t;
}
ExpertTile up_to_an_expert(double tokens, ExpertTile t) {
    t.most_tokens_an_expert = tokens;
    return t;
}

// Those of A100 only: for H100 vLLM has tiles too (8 of 2048), but with them a fit predicts other shapes worse.
// An entry of a file of fused_moe/configs: BLOCK_SIZE_M, _N, _K and GROUP_SIZE_M for a count of tokens.
struct Tuned {
    std::int64_t tokens, rows, columns, depth, group;
};

// E=8,N=2048,device_name=NVIDIA_A100-SXM4-80GB.json at 10efe94.
constexpr std::array a100_8_of_2048 = std::to_array<Tuned>({{1, 16, 32, 64, 16},
                                                            {2, 16, 32, 64, 16},
                                                            {4, 16, 64, 256, 16},
                                                            {8, 16, 32, 128, 1},
                                                            {16, 16, 128, 128, 32},
                                                            {24, 16, 128, 128, 1},
                                                            {32, 16, 128, 128, 1},
                                                            {48, 16, 128, 128, 16},
                                                            {64, 32, 128, 128, 1},
                                                            {96, 32, 128, 128, 32},
                                                            {128, 32, 128, 128, 32},
                                                            {256, 64, 256, 64, 32},
                                                            {512, 64, 256, 64, 32},
                                                            {1024, 64, 256, 64, 64},
                                                            {1536, 64, 256, 64, 16},
                                                            {2048, 128, 128, 64, 16},
                                                            {3072, 128, 128, 64, 16},
                                                            {4096, 128, 128, 64, 16}});
// E=1,N=14336,device_name=NVIDIA_A100-SXM4-80GB.json at e5fd201.
constexpr std::array a100_1_of_14336 = std::to_array<Tuned>({{1, 16, 64, 256, 16},
                                                             {2, 16, 64, 256, 32},
                                                             {4, 16, 64, 256, 16},
                                                             {8, 16, 64, 256, 32},
                                                             {16, 16, 64, 256, 64},
                                                             {24, 32, 64, 128, 16},
                                                             {32, 32, 64, 128, 1},
                                                             {48, 32, 64, 64, 16},
                                                             {64, 64, 64, 128, 1},
                                                             {96, 32, 256, 64, 16},
                                                             {128, 64, 128, 64, 64},
                                                             {256, 128, 128, 64, 16},
                                                             {512, 128, 128, 64, 64},
                                                             {1024, 128, 128, 64, 64},
                                                             {1536, 128, 128, 64, 16},
                                                             {2048, 128, 128, 64, 32},
                                                             {3072, 128, 128, 64, 16},
                                                             {4096, 128, 128, 64, 16}});
// A call takes the entry of the nearest count of tokens, the smaller one of two as near.
void add_tuned(std::vector<ExpertTile>& tiles, std::int64_t experts, std::int64_t inner, std::span<const Tuned> file) {
    for (std::size_t i = 0; i < file.size(); ++i) {
        const Tuned& entry = file[i];
        ExpertTile t = tile(entry.rows, entry.columns, entry.depth, entry.group);
        t.experts = experts, t.inner = inner;
        if (i + 1 < file.size()) t.most_tokens = (entry.tokens + file[i + 1].tokens) / 2;
        tiles.push_back(t);
    }
}

using Rule = Sourced<std::vector<ExpertTile>>;

Rule old_bf16(const std::string& gpu) {
    Rule rule{{}, vllm_old};
    if (gpu == "A100") {
        add_tuned(rule.value, 8, 2048, a100_8_of_2048);
        add_tuned(rule.value, 1, 14336, a100_1_of_14336);
    }
    if (!rule.value.empty()) rule.source += vllm_tuned;
    rule.value.push_back(up_to_an_expert(1, tile(16, 32, 64, 1)));
    rule.value.push_back(tile(64, 64, 32, 8));
    return rule;
}

Rule new_bf16() {
    constexpr double few = 128.999;  // a whole part of at most 128
    return {{up_to(32, tile(16, 64, 128, 1)), up_to(64, tile(32, 64, 128, 1)), up_to(96, tile(32, 128, 64, 1)),
             up_to(512, up_to_an_expert(few, tile(64, 128, 64, 1))), up_to(512, tile(64, 128, 64, 16)),
             up_to_an_expert(few, tile(128, 128, 64, 1)), tile(128, 128, 64, 16)},
            vllm_new};
}

Rule new_fp8() {
    return {{up_to(16, tile(16, 128, 128, 1)), up_to(64, tile(16, 128, 128, 32)), tile(64, 128, 128, 32)}, vllm_new};
}

}  // namespace

std::vector<Rule> tile_rules(const std::string& framework, Dtype dtype, const std::string& gpu) {
    if (framework == "vllm" && dtype == Dtype::bf16) return {old_bf16(gpu), new_bf16()};
    if (framework == "vllm") return {{{tile(64, 128, 128, 32)}, vllm_old}, new_fp8()};
    return {{{tile(128, 128, 128, 16)}, deep_gemm}, {{tile(64, 128, 128, 32)}, deep_gemm}};
}

}  // namespace moesim
