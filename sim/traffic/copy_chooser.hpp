#pragma once
// Which copy of an expert a token goes to.
#include <cstdint>
#include <vector>

#include "base/matrix.hpp"
#include "config/scenario.hpp"
#include "topology/fabric.hpp"
#include "traffic/grid.hpp"
#include "traffic/layer_copies.hpp"

namespace moesim {

// The tokens of each data index take turns over copies of an expert: with `locality` those on their own GPU, where
// there are none those on their own node, else all; with `round_robin` always all. Two copies at one position get two
// turns.
//
// `locality` is the order of SGLang's static dispatch (sglang/srt/eplb/expert_location.py: same GPU, same node, the
// rest shared out fairly), and that of GRACE-MoE (Han et al., arXiv 2509.25041), which prefers local copies and
// balances the remote ones; `round_robin` spreads tokens as vLLM's EPLB (position in the batch modulo the number of
// copies) and SGLang's dynamic dispatch (at random) do, but evenly to the token instead of on average. As in SGLang and
// vLLM, a token's experts are chosen for one by one: that it goes to some GPU or node anyway does not draw the next of
// its experts there.
//
// Of the data indices that share a set of copies, in ascending order, the first starts at the first copy, the second at
// the second, and so on, so that few tokens a source are spread as well. Nothing is drawn: the same tokens in the same
// order give the same copies. One chooser goes through all chunks of a micro-batch, so that chunks change nothing.
class CopyChooser {
  public:
    CopyChooser(const Placement& placement, LayerId layer, ReplicaPolicy policy, const RankGrid& grid,
                const Fabric& fabric);

    [[nodiscard]] const LayerCopies& copies() const { return copies_; }
    // For the next token of a data index.
    CopyIndex choose(std::size_t data, ExpertIndex expert) {
        const std::uint32_t column = column_[expert];
        if (column == single) return copies_.first(expert);
        Turn& turn = turns_(data, column);
        const CopyIndex copy = lists_[turn.begin + turn.next];
        if (++turn.next == turn.size) turn.next = 0;
        return copy;
    }

  private:
    // Where a data index is in a list of copies.
    struct Turn {
        std::uint32_t begin = 0, size = 0, next = 0;
    };
    struct List {
        std::uint32_t begin = 0, size = 0;  // of lists_
        std::uint32_t users = 0;            // data indices that take turns in it so far
    };
    static constexpr std::uint32_t single = 0xffff'ffff;

    // Appends those of an expert's copies that are wanted, each as often as it weighs.
    template <class Wanted>
    List list_of(std::size_t expert, Wanted wanted);
    static Turn turn_in(List& list);
    void take_turns(std::size_t column, std::size_t expert, ReplicaPolicy policy, const RankGrid& grid,
                    const Fabric& fabric);

    LayerCopies copies_;
    std::vector<std::uint32_t> column_;  // [expert]: in turns_, or `single`
    std::vector<CopyIndex> lists_;
    Matrix<Turn> turns_;  // [data][replicated expert]
};

}  // namespace moesim
