#pragma once
// Timed calls of communication libraries, as tables that others measured have them. The tables stay outside of this
// repository: measurements/nccl.csv, deepep_normal.csv, deepep_ll.csv and published/ep_alltoall.csv in a folder given.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/units.hpp"

namespace moesim {

// An all-to-all among the `ranks` GPUs of one node; `bytes` is the buffer of a rank, its own part included.
struct NcclCall {
    std::string system, version;  // "h100_sxm", "nccl-2.27.3"
    std::size_t ranks = 0;
    Bytes bytes;
    Seconds measured;
};

// A dispatch or a combine with `tokens` on each rank, 8 ranks a node.
struct DeepEpCall {
    std::string machine, version;  // "h100_sxm", "sglang-0.5.12"; "h800", "deepep-readme"
    bool combine = false;
    std::int64_t nodes = 1, hidden = 0, tokens = 0, top_k = 0, experts = 0;
    double multiprocessors = 0;
    // A token's experts lie in at most this many nodes (group-limited routing, a group a node).
    std::int64_t most_nodes = 0;
    Seconds measured;

    [[nodiscard]] std::int64_t ranks() const { return nodes * 8; }
};

// Empty where the file is absent. `measurements` is the folder of the tables.
std::vector<NcclCall> read_nccl(const std::filesystem::path& measurements);
std::vector<DeepEpCall> read_deepep_normal(const std::filesystem::path& measurements);
std::vector<DeepEpCall> read_deepep_low_latency(const std::filesystem::path& measurements);
// The table of DeepEP's README for H800. Its bandwidths of normal calls are turned back into the times that they stand
// for: bytes of a rank's rows, a row for each (token, GPU) in one node and for each (token, node) beyond, over GB/s.
std::vector<DeepEpCall> read_readme_normal(const std::filesystem::path& measurements);
std::vector<DeepEpCall> read_readme_low_latency(const std::filesystem::path& measurements);

// Different places on average that a token's top_k out of `experts` are in, which `places` share out evenly, each
// choice alike likely: places (1 - C(experts - experts/places, top_k) / C(experts, top_k)).
double expected_places(std::int64_t places, std::int64_t experts, std::int64_t top_k);
// Of a call's token, with what most_nodes leaves of them.
double expected_gpus(const DeepEpCall& call);
double expected_nodes(const DeepEpCall& call);

}  // namespace moesim
