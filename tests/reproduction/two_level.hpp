#pragma once
// Two-level all-to-all against one of pairs, as papers on hierarchical all-to-alls compare them: 2DH against NCCL's
// linear one (Hwang et al., "Tutel", arXiv 2206.03382; the same two in Lin et al., "HierMoE", arXiv 2508.09591). They
// report that two levels win where each GPU has little to send to each of many others, since that many small messages
// pay their start-ups one after another, and that they lose where messages are large, since everything moves twice.
//
// Here: H100 nodes of eight GPUs with the shipped topology and profile; every GPU sends the same to every other one;
// up to eight messages of a GPU at once in both.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace moesim::test {

struct TwoLevel {
    std::size_t gpus = 0;
    std::int64_t bytes = 0;                 // that a GPU sends in all
    double pairwise = 0, hierarchical = 0;  // seconds
    [[nodiscard]] double speedup() const { return pairwise / hierarchical; }
};

// The largest cluster that is simulated flow by flow; above it times are the closed form's, which leaves out that
// messages meet at their receivers.
inline constexpr std::size_t most_simulated = 64;
TwoLevel compare_levels(std::size_t gpus, std::int64_t bytes, bool simulated);

}  // namespace moesim::test
