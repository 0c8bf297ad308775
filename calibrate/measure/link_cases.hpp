#pragma once
// Which messages are timed between the ranks of a cluster.
#include <string>
#include <vector>

#include "network/busiest_link.hpp"
#include "topology/fabric.hpp"

namespace moesim {

struct LinkCase {
    std::string shape;  // "across nodes, 65536 B": what is held out as a whole
    std::vector<Transfer>
        transfers;  // all at once; a ping-pong: there and back, one after the other, half of which counts
    bool ping_pong = false;
};

// The most that one rank sends.
std::size_t messages_of_one(const LinkCase& c);

// Ping-pongs of the first pair of ranks of every class of links (MessageModel::profile_of) and number of links between
// them, of 1 B up to four times `usual`; single bytes to all within a node, and to all across nodes, at once, where a
// rank has several such (what one more message takes: LinkProfile::gap); and all pairs at once with even messages of a
// 16th of `usual` up to near four times that, and of `usual` on average with one rank that gets, or sends, four times
// as much as others, and with sizes that vary by 1/(1 + place) at random. quick: fewer sizes. `usual`: what one rank
// sends another in the scenario.
std::vector<LinkCase> link_cases(const Fabric& fabric, Bytes usual, bool quick);

}  // namespace moesim
