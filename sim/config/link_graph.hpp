#pragma once
// A list of links as a graph: who can be reached in how many links.
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "config/topology_spec.hpp"

namespace moesim {

class LinkGraph {
  public:
    static constexpr std::uint32_t unreachable = std::numeric_limits<std::uint32_t>::max();

    // The list must outlive the graph.
    explicit LinkGraph(const LinkListSpec& list);

    // Links that leave a vertex, in the order of their ids.
    [[nodiscard]] std::span<const std::uint32_t> leaving(std::size_t vertex) const {
        return {leaving_.data() + leaving_start_[vertex], leaving_start_[vertex + 1] - leaving_start_[vertex]};
    }
    // The fewest links from each vertex to a GPU; `unreachable` where there is no way. Only switches are passed
    // through, and GPUs where the list lets them forward. `order` gets the vertices that have a way, nearest first.
    [[nodiscard]] std::vector<std::uint32_t> hops_to(std::size_t gpu, std::vector<std::uint32_t>& order) const;

  private:
    const LinkListSpec& list_;
    std::vector<std::uint32_t> leaving_, arriving_;              // link ids, by vertex
    std::vector<std::uint32_t> leaving_start_, arriving_start_;  // [vertex + 1]
};

}  // namespace moesim
