#pragma once
// How tokens get to their experts and back: the part "dispatch" of a scenario.
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "config/dtype.hpp"
#include "config/json_object.hpp"

namespace moesim {

// How many copies of a token travel: one for each expert, one for each GPU, one for each node.
enum class Dedup : unsigned char { none, rank, node };

// How an exchange is sent; sim/network/alltoall has one file for each.
enum class Algorithm : unsigned char {
    direct,            // all pairs at once
    pairwise,          // a window of peers after another
    hierarchical,      // inside the node first, so that one message goes from each GPU to each node
    rail,              // one copy to a node, over NICs of the same place, forwarded inside
    low_latency,       // a message for each choice, all at once, nothing forwarded
    context_coherent,  // tokens stay with their best expert; only what others made of them comes after
    chosen,            // "auto": whichever of the above ends first for even traffic
};
inline constexpr std::array<std::string_view, 7> algorithm_names = {
    "direct", "pairwise", "hierarchical", "rail", "low_latency", "context_coherent", "auto"};
constexpr std::string_view name(Algorithm a) { return algorithm_names[static_cast<std::size_t>(a)]; }

// Whether a rank holds back messages until earlier ones have arrived.
constexpr bool has_window(Algorithm a) { return a == Algorithm::pairwise || a == Algorithm::hierarchical; }

// Whose kernels carry an exchange: those of nobody in particular, with messages as the profile's `links` have it, or
// a library's, as the profile's `collectives` have them.
enum class Library : unsigned char { none, nccl, deepep };
inline constexpr std::array<std::string_view, 2> library_names = {"nccl", "deepep"};  // but for `none`

struct DispatchSpec {
    Dtype dtype = Dtype::bf16;
    Dtype return_dtype = Dtype::bf16;
    Dedup dedup = Dedup::rank;
    Algorithm algorithm = Algorithm::direct;
    // Messages of one rank under way at once, where the algorithm has a window. Where neither the scenario nor its
    // profile says: NCCL works on up to 8 sends of a group
    // at once in one channel (NCCL 2.28, src/include/device.h: NCCL_MAX_DEV_WORK_P2P_PER_BATCH).
    std::int64_t window = default_window;
    static constexpr std::int64_t default_window = 8;
    Library library = Library::none;
    // Given to a call of DeepEP's normal kernels. Where the scenario does not say: what DeepEP's tests are set to
    // (tests/test_intranode.py and test_internode.py: num_sms = 24).
    std::int64_t multiprocessors = 24;
    [[nodiscard]] bool deepep_normal() const {
        return library == Library::deepep && algorithm != Algorithm::low_latency;
    }
    bool operator==(const DispatchSpec&) const = default;
};

// `window` is the one where `value` has none. Throws InputError, also where algorithm and dedup do not go together.
DispatchSpec parse_dispatch(const JsonValue& value, std::int64_t window);
nlohmann::ordered_json to_json(const DispatchSpec& dispatch);

}  // namespace moesim
