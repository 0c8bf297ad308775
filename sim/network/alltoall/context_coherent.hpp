#pragma once
#include "network/alltoall/all_to_all.hpp"

namespace moesim {

// Tokens stay with their best expert, so that one all-to-all a layer takes them from where they are to where their next
// experts are (Yao et al., "ExFlow", arXiv 2401.08383). What is left of the return is what a token's other experts,
// beyond the first, computed elsewhere: its exchange is counted from the tokens' new homes. Both are all pairs at once.
// Attention then needs the keys and values of every sequence wherever a token may be: all ranks of an expert group
// hold them all, and gather those of the newest tokens, of all layers, before each pass: what a cache of keys and
// values needs, and our reading of the paper's "context".
class ContextCoherentAllToAll final : public AllToAll {};

}  // namespace moesim
