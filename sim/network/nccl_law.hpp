#pragma once
// How long an all-to-all of NCCL's grouped sends and receives takes: what comes before the bytes, and what they share.
//
// A call of n ranks, b bytes a rank (its own part of b/n included), m the bytes of a message:
//   start_up + per_doubling log2 n                 launch, and meeting the peers
//   + fill min(b / fill_bytes, 1)                  the pipeline of chunks, stored and forwarded, fills once
//   + min(m / short_rate, short_most)              each message: the low-latency protocol, or setting up the simple one
//   + the bytes on the links of with_call_limits   with own_share of what stays on the GPU, at `rate` out and in
// Protocols and chunks: NCCL's src/enqueue.cc (NCCL_P2P_LL_THRESHOLD); a profile's figures are fitted to whole calls.
#include <cstddef>

#include "network/call_links.hpp"

namespace moesim {

// Before any byte of a rank moves. `of_rank`: all that it sends, with its own part. At least one rank.
Seconds nccl_start_up(const NcclProfile& nccl, std::size_t ranks, Bytes of_rank);
// Before the bytes of one message move, after the above.
Seconds nccl_message_start_up(const NcclProfile& nccl, Bytes message);
// What a message puts on its links: its bytes, and flags where the profile has them.
Bytes nccl_on_links(const NcclProfile& nccl, Bytes message);
// What a message of a rank to itself puts on that rank's copy links.
Bytes nccl_own_on_links(const NcclProfile& nccl, Bytes message);
CallLimits nccl_limits(const NcclProfile& nccl, std::size_t ranks);

}  // namespace moesim
