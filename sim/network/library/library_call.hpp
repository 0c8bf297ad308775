#pragma once
// One direction of an exchange as a library's all-to-all carries it: an exchange's messages and the library's law.
#include <memory>
#include <vector>

#include "config/scenario.hpp"
#include "network/call_links.hpp"
#include "traffic/grid.hpp"
#include "traffic/messages.hpp"

namespace moesim {

enum class Direction : unsigned char { dispatch, return_ };

// What a call of the library takes.
struct CallMessages {
    // Bytes as they are on links, with start-ups as delays; after the exchange's messages, each in its place, those of
    // ranks to themselves.
    std::vector<Message> messages;
    std::vector<Seconds> start_up;  // [rank]: from the call to its first byte
    std::vector<Seconds> least;     // [rank]: from there to its end
};

class LibraryCall {
  public:
    virtual ~LibraryCall() = default;
    LibraryCall() = default;
    LibraryCall(const LibraryCall&) = delete;
    LibraryCall& operator=(const LibraryCall&) = delete;

    [[nodiscard]] virtual CallLimits limits() const = 0;
    // Bytes of a token's row, with what the library sends beside its values.
    [[nodiscard]] virtual Bytes row() const = 0;
    // `messages`: those of an AllToAll for the exchange, in rows of row().
    [[nodiscard]] virtual CallMessages carry(std::vector<Message> messages, const Exchange& exchange) const = 0;
};

// Nothing where the scenario has no library, or expert groups of one rank, which call nothing. Grid and fabric are
// referred to.
std::unique_ptr<const LibraryCall> make_library_call(const Scenario& scenario, Direction direction,
                                                     const RankGrid& grid, const Fabric& fabric);

}  // namespace moesim
