#pragma once
// One rank's part of an exchange: which rows lie where, as tables that kernels are given.
//
// A rank has four tables in a chunk. `sent`: packed rows of its own tokens, message by message. `stored`: packed rows
// whose experts live here or that it sends on: first those of its own tokens, then message by message. `computed`: a
// row for each choice that its experts compute, expert by expert. `sums`: a row for each stored one, what was computed
// on it here, then a row for each one that it sent or sent on, as it came back, message by message.
#include <cstdint>
#include <vector>

#include "calibrate/execute/row_tree.hpp"

namespace moesim {

// A run of rows that belongs to a message of the dispatch.
struct MessageRows {
    std::uint32_t message = 0;  // of AllToAll::dispatch
    std::int64_t begin = 0, rows = 0;
};

struct ChunkRows {
    std::int64_t local = 0;                           // stored rows that never left
    std::int64_t stored = 0;                          // with those that were received
    std::vector<std::int32_t> pack_local, pack_sent;  // [row of `stored`, of `sent`]: token of the rank's in the chunk

    std::vector<MessageRows> sent;      // of table `sent`: messages of nothing but its own rows
    std::vector<MessageRows> received;  // of table `stored`

    // A message with rows that others brought. rows: of table `stored`, or -1 - row of table `sent`.
    struct Forwarded {
        std::uint32_t message = 0;
        std::vector<std::int32_t> rows;
    };
    std::vector<Forwarded> forwarded;

    std::vector<std::int32_t> gather;       // [computed row]: stored row
    std::vector<std::int64_t> group_begin;  // [expert of the rank + 1]: of table `computed`
    std::vector<float> weights;             // [computed row]
    std::int64_t sum_width = 1;             // the most computed rows of one stored row
    std::vector<std::int32_t> sum;          // [stored row][sum_width]: computed rows in the order of places, then -1

    std::int64_t sums = 0;                   // rows of table `sums`
    std::vector<MessageRows> back_received;  // of table `sums`: what comes back for messages that it sent or sent on
    // What goes back for a message that it received: a run of table `sums`, or where rows of it were sent on, the sums
    // of several rows of it.
    struct Back {
        MessageRows run;  // of table `sums`, if `terms` is empty
        std::int64_t width = 1;
        std::vector<std::int32_t> terms;  // [row][width]: rows of table `sums`, then -1
    };
    std::vector<Back> back;  // [received message]

    std::vector<std::int32_t> unpack;  // rows of table `sums` that belong to its tokens, token by token
    std::vector<std::int32_t> copies;  // [token of the rank in the chunk]: how many of them it has
};

// Weights of the choices of a source's tokens in the chunk.
struct SourceGates {
    std::vector<float> gates;  // [token][width]
    std::size_t width = 0;
    [[nodiscard]] float of(std::size_t token, std::size_t place) const { return gates[token * width + place]; }
};

// local_experts: those of the rank in the layer, in ascending order. gates: [source].
ChunkRows chunk_rows(const RowTree& tree, RankId rank, std::size_t source, std::int64_t tokens,
                     const std::vector<ExpertIndex>& local_experts, const std::vector<SourceGates>& gates);

}  // namespace moesim
