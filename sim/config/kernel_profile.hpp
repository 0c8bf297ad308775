#pragma once
// The part "kernels" of a moesim.profile/1: the operations of a layer as they were timed on one device, a law each.
//
// A law says what each thing that a call does costs: its time is the sum of seconds_per[q] times how many of q the
// call has (sim/cost/kernel_law.hpp counts). No cost is negative, so that time never falls with more of anything.
#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "config/fit_record.hpp"
#include "config/sourced.hpp"

namespace moesim {

struct JsonValue;

// Named as in kernels/operations.hpp. round_rows: what experts made, rounded to what a rank may send (see
// kernel_law.hpp); dense: one product; attention: the fused kernel alone.
enum class KernelOperation : unsigned char {
    gate_logits,
    select,
    order_by_destination,
    order_by_rank,
    pack,
    pack_fp8,
    expert_forward,
    round_rows,
    combine,
    unpack,
    unpack_fp8,
    add_residual,
    dense,
    attention,
};
inline constexpr std::array<std::string_view, 14> kernel_operation_names = {
    "gate_logits", "select",   "order_by_destination", "order_by_rank",
    "pack",        "pack_fp8", "expert_forward",       "round_rows",
    "combine",     "unpack",   "unpack_fp8",           "add_residual",
    "dense",       "attention"};  // [KernelOperation]
constexpr std::string_view name(KernelOperation o) { return kernel_operation_names[static_cast<std::size_t>(o)]; }

// What a call is counted in.
enum class KernelQuantity : unsigned char {
    call,         // one
    group,        // experts with rows, or destinations
    row,          // rows that are worked on
    choice,       // a row's experts
    byte,         // read and written
    far_byte,     // of these, more than a cache holds
    weight_byte,  // of matrices that all rows share
    flop,
};
inline constexpr std::array<std::string_view, 8> kernel_quantity_names = {
    "call", "group", "row", "choice", "byte", "far_byte", "weight_byte", "flop"};  // [KernelQuantity]
inline constexpr std::size_t kernel_quantities = kernel_quantity_names.size();
using PerQuantity = std::array<double, kernel_quantities>;  // [KernelQuantity]

struct KernelLaw {
    KernelOperation operation = KernelOperation::pack;
    PerQuantity seconds_per{};  // each from 0 to 1
    Bytes cache;                // what `byte` is beyond this is far_byte
    FitRecord fit;
    bool operator==(const KernelLaw&) const = default;
};

// How many times as long each takes while the other is under way on the same device. Recorded, not simulated.
struct OverlapProfile {
    Sourced<double> compute, communication;  // from 0.1 to 1000
    bool operator==(const OverlapProfile&) const = default;
};

struct KernelsProfile {
    std::string device, versions, date;  // what was timed, what drives it, when
    std::string clock;                   // what was seen of the device's clock meanwhile
    std::vector<KernelLaw> laws;
    std::optional<OverlapProfile> overlap;

    [[nodiscard]] const KernelLaw* find(KernelOperation operation) const;  // null where there is none
    [[nodiscard]] bool empty() const { return laws.empty(); }
    bool operator==(const KernelsProfile&) const = default;
};

// Empty where `value` is absent. Throws InputError.
KernelsProfile parse_kernels(const JsonValue& value);
nlohmann::ordered_json to_json(const KernelsProfile& kernels);

}  // namespace moesim
