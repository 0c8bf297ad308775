#pragma once
// A gate that wants what a fitted workload model says.
#include <memory>

#include "config/workload_model.hpp"
#include "workload/gate.hpp"

namespace moesim {

// Source s of the run is like source s mod model.sources of the trace.
class ModelGate final : public Gate {
  public:
    ModelGate(std::shared_ptr<const WorkloadModel> model, std::uint64_t seed) : model_(std::move(model)), seed_(seed) {}

    [[nodiscard]] std::size_t experts() const override { return model_->experts; }
    void logits(const TokenBatch& batch, Range part, std::span<float> out) const override;

  private:
    std::shared_ptr<const WorkloadModel> model_;
    std::uint64_t seed_;
};

// Logits of the first choice and of the others, without noise, after a token's choices of the previous layer (empty:
// none). out is [expert].
void first_logits(const WorkloadModel& model, const WorkloadModel::Layer& layer, std::size_t source,
                  std::span<const ExpertIndex> previous, std::span<float> out);
void rest_logits(const WorkloadModel& model, const WorkloadModel::Layer& layer, std::size_t source, ExpertIndex first,
                 std::span<const ExpertIndex> previous, std::span<float> out);

}  // namespace moesim
