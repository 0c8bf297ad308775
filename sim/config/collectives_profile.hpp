#pragma once
// The part "collectives" of a moesim.profile/1: what whole communication libraries attain on this machine, fitted to
// timed calls. The laws that read these figures are sim/network/*_law.hpp.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "base/units.hpp"
#include "config/sourced.hpp"

namespace moesim {

struct JsonValue;

// A bridge of the host that carries what GPUs of different groups send each other, both ways together (PCIe machines).
struct HostBridgeProfile {
    Sourced<std::int64_t> gpus;    // of one group: they reach each other without it
    Sourced<BytesPerSecond> rate;  // with four ranks in the call
    Sourced<double> contention;    // it gives rate / (ranks / 4)^contention with more; [0, 2]
    bool operator==(const HostBridgeProfile&) const = default;
};

// Protocols that send a flag with every few bytes: the first `size` bytes of a message count `weight` times on the
// links.
struct FlaggedBytesProfile {
    Sourced<Bytes> size;
    Sourced<double> weight;  // [1, 4]
    bool operator==(const FlaggedBytesProfile&) const = default;
};

// An all-to-all of NCCL's grouped sends and receives.
struct NcclProfile {
    Sourced<Seconds> start_up;           // of a call
    Sourced<Seconds> per_doubling;       // more for every doubling of the ranks
    Sourced<BytesPerSecond> short_rate;  // what a message of the short protocol moves at ...
    Sourced<Seconds> short_most;         // ... until the long protocol's set-up, this much, is cheaper
    Sourced<Seconds> fill;               // of the pipeline, once a call fills it
    Sourced<Bytes> fill_bytes;           // bytes a rank that fill it
    Sourced<BytesPerSecond> rate;        // at which one GPU copies out, and in
    Sourced<double> own_share;           // of a byte: what a byte that stays on its GPU costs, [0, 1]
    std::optional<FlaggedBytesProfile> flagged;
    std::optional<HostBridgeProfile> host_bridge;
    bool operator==(const NcclProfile&) const = default;
};

// One direction of DeepEP's normal kernels. "SM seconds" are shared by the multiprocessors that the call was given.
struct DeepEpNormalPhase {
    struct Nodes {                  // over NICs: rows are counted once a (token, node)
        Sourced<Seconds> start_up;  // more than inside a node
        Sourced<double> rows_in_flight, half_rows;
        Sourced<BytesPerSecond> sm_rate;
        Sourced<BytesPerSecond> shared_rate;  // at which rows pass what all multiprocessors have in common
        Sourced<BytesPerSecond> nic;          // attained by one GPU's NIC
        bool operator==(const Nodes&) const = default;
    };
    Sourced<Seconds> start_up;
    Sourced<BytesPerSecond> first_row_rate;  // at which the first row crosses the empty pipeline
    Sourced<double> rows_in_flight;          // of a channel (two multiprocessors) once its pipeline is full
    Sourced<double> half_rows;               // rows a channel at which half of the filling has to be waited for
    Sourced<Seconds> row_time;               // SM seconds a row at the least ...
    Sourced<BytesPerSecond> sm_rate;         // ... and what one multiprocessor copies
    Sourced<BytesPerSecond> nvlink;          // attained by one GPU's port
    std::optional<Sourced<BytesPerSecond>> reduce_rate;  // summing up results, of one multiprocessor (combine)
    std::optional<Nodes> nodes;
    bool operator==(const DeepEpNormalPhase&) const = default;
};

// One direction of DeepEP's low-latency kernels.
struct DeepEpLowLatencyPhase {
    struct Nodes {
        Sourced<Seconds> start_up;    // more than inside a node
        Sourced<BytesPerSecond> nic;  // attained by one GPU's NIC
        bool operator==(const Nodes&) const = default;
    };
    Sourced<Seconds> start_up;
    Sourced<Seconds> per_expert;             // more for each expert of the call
    Sourced<BytesPerSecond> first_row_rate;  // at which the first row is packed
    Sourced<BytesPerSecond> rate;            // at which one GPU sends, and receives, inside a node
    Sourced<BytesPerSecond> expert_rate;     // of that, for each expert of the call (a multiprocessor serves one)
    std::optional<Nodes> nodes;
    bool operator==(const DeepEpLowLatencyPhase&) const = default;
};

template <class Phase>
struct BothWays {
    Phase dispatch, combine;
    bool operator==(const BothWays&) const = default;
};

struct CollectivesProfile {
    std::optional<NcclProfile> nccl;
    std::optional<BothWays<DeepEpNormalPhase>> deepep_normal;
    std::optional<BothWays<DeepEpLowLatencyPhase>> deepep_low_latency;

    [[nodiscard]] bool empty() const { return !nccl && !deepep_normal && !deepep_low_latency; }
    bool operator==(const CollectivesProfile&) const = default;
};

// Empty where `value` is absent. Throws InputError.
CollectivesProfile parse_collectives(const JsonValue& value);
nlohmann::ordered_json to_json(const CollectivesProfile& collectives);

}  // namespace moesim
