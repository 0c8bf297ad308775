#pragma once
// When which link has which part of its capacity.
#include <limits>
#include <string>
#include <vector>

#include "config/fault_spec.hpp"
#include "topology/fabric.hpp"

namespace moesim {

class LinkFaults {
  public:
    // Throws InputError, with `origin` for the file, where a fault names no link.
    LinkFaults(const FaultsSpec& spec, const Fabric& fabric, const std::string& origin = "");

    [[nodiscard]] const std::vector<LinkId>& links() const { return links_; }
    // What a link has of its capacity at the time t, [0, 1].
    [[nodiscard]] double left(LinkId link, double t) const;
    // The first moment after t at which something changes; infinity for none.
    [[nodiscard]] double next_change(double t) const;

  private:
    struct Fault {
        LinkId link;
        LinkFault of;
    };
    std::vector<Fault> faults_;
    std::vector<LinkId> links_;  // that any fault is about, ascending
};

}  // namespace moesim
