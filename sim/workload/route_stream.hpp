#pragma once
// A scenario's routing, layer by layer, with drops: what the pipeline sends and what descriptions count.
#include <memory>
#include <vector>

#include "config/scenario.hpp"
#include "workload/capacity.hpp"
#include "workload/policy.hpp"

namespace moesim {

// Remembers each source's choices in the layer before, so the layers of a micro-batch come in order; micro-batches and
// sources come in any order. Holds two bytes a choice of one layer of the batch.
class RouteStream {
  public:
    RouteStream(const Scenario& scenario, std::shared_ptr<const RoutingPolicy> policy);

    [[nodiscard]] std::size_t sources() const { return source_tokens_.size(); }
    [[nodiscard]] Range tokens(std::size_t micro_batch, std::size_t source) const;

    // Routes one micro-batch of a source in its next layer; `sent` is what is left after drops.
    Limited next(LayerId layer, std::size_t micro_batch, std::size_t source, Routing& sent, bool want_gates = false);
    // All sources of a micro-batch, on all cores: the same as source after source.
    struct Step {
        std::vector<Routing> sent;  // [source]
        Limited limited;            // summed over sources
    };
    Step next_of_all(LayerId layer, std::size_t micro_batch);
    // What next() chose last, before drops.
    [[nodiscard]] const Routing& chosen(std::size_t micro_batch, std::size_t source) const {
        return chosen_[micro_batch * sources() + source];
    }

  private:
    RoutingSpec spec_;
    ModelSpec model_;
    std::int64_t micro_batches_;
    std::shared_ptr<const RoutingPolicy> policy_;
    std::vector<Range> source_tokens_;  // [source]
    std::vector<Routing> chosen_;       // [micro-batch][source]
};

}  // namespace moesim
