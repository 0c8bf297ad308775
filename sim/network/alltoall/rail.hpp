#pragma once
#include "network/alltoall/all_to_all.hpp"

namespace moesim {

// One copy of a token goes to a node, over NICs of the same place in their nodes (one rail), and is forwarded inside
// over NVLink; the return sums up inside the node and sends one row back. So do the normal kernels of DeepEP
// (deepseek-ai/DeepEP, csrc/kernels/internode.cu). A hop is forwarded once it has arrived as a whole. The exchange has
// to be counted with Dedup::node. Kernels: layout, notification and dispatch; notification and combine.
class RailAllToAll final : public AllToAll {
  public:
    [[nodiscard]] Launches launches() const override { return {3, 2}; }
};

}  // namespace moesim
