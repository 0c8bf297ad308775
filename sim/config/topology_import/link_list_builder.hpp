#pragma once
// A list of links out of a foreign description.
#include <map>
#include <string>

#include "config/topology_spec.hpp"

namespace moesim {

class LinkListBuilder {
  public:
    // All GPUs before all switches, node by node. They give back the vertex.
    std::uint32_t add_gpu(std::int64_t node);
    std::uint32_t add_switch(std::string name);
    // One direction. A second link between the same two adds to the first one's bandwidth, and the longer latency
    // counts: traffic spreads over parallel links ideally.
    void add_link(std::uint32_t from, std::uint32_t to, const LinkSpec& spec, LinkClass link_class);
    void add_cable(std::uint32_t a, std::uint32_t b, const LinkSpec& spec, LinkClass link_class);
    [[nodiscard]] std::size_t gpus() const { return list_.node_of_gpu.size(); }
    // Named after the file. Throws InputError, naming it, where GPUs have no way to each other.
    [[nodiscard]] TopologySpec topology(const std::string& file, const std::string& source, EqualPaths equal_paths);

    bool gpus_forward = false;

  private:
    [[nodiscard]] std::string name(std::uint32_t vertex) const;
    LinkListSpec list_;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> known_;  // ends: which link
};

}  // namespace moesim
