#pragma once
#include "network/alltoall/all_to_all.hpp"

namespace moesim {

// Every choice of a token is a message of its own to the expert's rank, and every result one back: no copies saved,
// nothing forwarded, all at once. So do the low-latency kernels of DeepEP (csrc/kernels/internode_ll.cu: one RDMA write
// a token and expert). Ranks of other nodes are reached over the NIC, those of the same node over NVLink. The rows of a
// pair are one flow of as many messages. The exchange has to be counted with Dedup::none.
class LowLatencyAllToAll final : public AllToAll {
  private:
    [[nodiscard]] std::vector<Message> messages(const Exchange& exchange, Bytes row) const override;
};

}  // namespace moesim
