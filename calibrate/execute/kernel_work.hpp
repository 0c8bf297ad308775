#pragma once
// The ten stages of a layer with real kernels.
#include <memory>

#include "calibrate/execute/made_model.hpp"
#include "calibrate/execute/rank_run.hpp"
#include "calibrate/execute/work_plan.hpp"
#include "kernels/backend.hpp"

namespace moesim {

// Holds the rank's weights, tokens and the memory of all its messages. Activations, weights and returned rows are bf16,
// dispatched ones that or fp8 with a scale a row.
class KernelWork final : public RankWork {
  public:
    // `plan` and `backend` are referred to. Throws DeviceLacking where memory is short.
    KernelWork(const WorkPlan& plan, kernels::Backend& backend);
    ~KernelWork() override;

    // Once, before any message: every task and every message of the rank is computed, of whatever its memory holds, so
    // that none of the runs allocates memory or loads code. On a GPU both may wait for all that runs there, and with it
    // for a message whose sender waits in turn.
    void rehearse();
    // Before every run: the tokens as they come to the first layer. `check`: select() has to choose what the scenario's
    // routing says, which takes time; throws InternalError from compute() where it does not.
    void begin(bool check);
    Seconds compute(std::size_t task, const Label& label) override;
    std::span<const std::byte> outgoing(const Label& label, std::uint32_t message) override;
    std::span<std::byte> incoming(const Label& label, std::uint32_t message) override;

    // Of the tokens after the last layer: summed over ranks, the same for every placement, number of ranks, algorithm
    // and schedule. A sum over tokens, modulo 2^64, of a hash of the token's number and its values.
    [[nodiscard]] std::uint64_t checksum();
    // The tokens themselves, of micro-batch after micro-batch.  [token of the rank][hidden]
    [[nodiscard]] std::vector<float> tokens();
    // Bytes of a dispatched row as it is sent: with its scale, and what aligns the next one.
    [[nodiscard]] std::int64_t sent_row_bytes() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// The hash of one token's values that checksum() sums up.
std::uint64_t token_hash(std::int64_t token, std::span<const float> values);
// Of tokens from `first` on, [token][hidden].
std::uint64_t tokens_hash(std::int64_t first, std::span<const float> values, std::int64_t hidden);

}  // namespace moesim
