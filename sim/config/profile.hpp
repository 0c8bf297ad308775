#pragma once
// moesim.profile/1: what one kind of GPU and its links attain. Every figure carries its source.
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "config/collectives_profile.hpp"
#include "config/dtype.hpp"
#include "config/expert_profile.hpp"
#include "config/kernel_profile.hpp"
#include "config/sourced.hpp"

namespace moesim {

inline constexpr double max_link_efficiency = 2;

// How messages fare on links of one class, beyond the wire's own bandwidth and latency.
struct LinkProfile {
    // Attainable share of the wire's bandwidth for large messages, (0, max_link_efficiency]; above 1 where links were
    // measured to be faster than a topology says.
    Sourced<double> efficiency;
    Sourced<Bytes> half_size;   // of a message that alone reaches half of that once it moves
    Sourced<Seconds> overhead;  // paid by every message before it moves (software and protocol)
    // Quantiles 0, 1/n, .., 1 of what comes before a message moves, over its median; nothing: not measured.
    std::optional<Sourced<std::vector<double>>> jitter{};
    // Quantiles 0, 1/n, .., 1 of measured / predicted times of what the figures were fitted to; nothing: not fitted.
    std::optional<Sourced<std::vector<double>>> residuals{};
    // One GPU begins its messages at least so far apart, whatever their size: the "gap" of LogP, whose reciprocal is
    // the message rate (Culler et al., PPoPP 1993; Alexandrov et al., "LogGP", SPAA 1995); nothing: all that may begin
    // do so at once.
    std::optional<Sourced<Seconds>> gap{};
    bool operator==(const LinkProfile&) const = default;
};

// One kind of matrix product: the share of the peak that it attains with all multiprocessors busy, (0, 1], and the
// piece of the output that one multiprocessor works on at a time.
struct MatmulProfile {
    Sourced<double> efficiency;
    Sourced<std::int64_t> tile_m, tile_n;
    // A kernel with fewer tiles than multiprocessors shares out the depth of each tile, in parts of at least this
    // many ("split-K"); nothing: it does not.
    std::optional<Sourced<std::int64_t>> split_depth;
    bool operator==(const MatmulProfile&) const = default;
};

struct Profile {
    std::string name;
    std::string device;
    Sourced<Bytes> memory_capacity;
    Sourced<Bytes> memory_reserved;  // held by the driver and the communication library
    Sourced<BytesPerSecond> memory_bandwidth;
    Sourced<double> memory_efficiency;                           // attainable share of that, (0, 1]
    Sourced<Seconds> launch;                                     // one kernel launch
    std::optional<Sourced<FlopsPerSecond>> peak_bf16, peak_fp8;  // dense matrix rate; absent: not supported
    Sourced<std::int64_t> multiprocessors;
    MatmulProfile dense, grouped;          // one product; a batch of products over ragged groups (experts)
    Sourced<double> attention_efficiency;  // share of the peak in the fused attention kernel
    LinkProfile nvlink, nic;
    std::optional<LinkProfile> pcie;  // for topologies with PCIe inside their nodes
    // Messages of one GPU that its communication library has under way at once in an all-to-all; nothing: not known.
    std::optional<Sourced<std::int64_t>> max_flows;
    CollectivesProfile collectives;  // empty: messages as `links` has it
    ExpertsProfile experts;          // empty: experts as `matmul.grouped` has it
    KernelsProfile kernels;          // empty: stages as the figures above have them

    // The peak for a data type, or nothing where the device has none.
    [[nodiscard]] const std::optional<Sourced<FlopsPerSecond>>& peak(Dtype d) const {
        return d == Dtype::fp8 ? peak_fp8 : peak_bf16;
    }
    bool operator==(const Profile&) const = default;
};

// What to say where a topology has PCIe links and the profile no figures for them.
std::string lacks_pcie(const Profile& profile);

// Throws InputError. `file` names the document in messages, `path` its place in it.
Profile parse_profile(const nlohmann::json& document, const std::string& file, const std::string& path = "$");
nlohmann::ordered_json to_json(const Profile& profile);

}  // namespace moesim
