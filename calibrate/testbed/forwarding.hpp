#pragma once
// What the switches of a fabric have to know to send everything the way the simulator does.
#include <optional>
#include <vector>

#include "topology/fabric.hpp"

namespace moesim::testbed {

// Switches forward by where something goes, and not by where it comes from.
struct Forwarding {
    std::vector<std::vector<std::optional<LinkId>>> next;  // [vertex][rank it goes to]; none: nothing passes there
    std::vector<LinkId> reverse;                           // [link]: the other direction of the same cable
    std::vector<bool> used;                                // [link]: some route takes it, or its other direction
};

// Throws InputError, naming `file`, where no such table gives all of the fabric's routes: equal ways that are chosen by
// sender, routes through GPUs, or a link without one that leads back.
Forwarding forwarding(const Fabric& fabric, const std::string& file);

}  // namespace moesim::testbed
