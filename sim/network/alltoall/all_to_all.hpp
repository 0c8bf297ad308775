#pragma once
// How an exchange is sent: who sends what to whom, after what, and at what price. One file an algorithm.
#include <memory>
#include <vector>

#include "config/dispatch_spec.hpp"
#include "config/profile.hpp"
#include "network/message.hpp"
#include "traffic/grid.hpp"
#include "traffic/messages.hpp"

namespace moesim {

// Kernels that one rank launches for one dispatch and one return.
struct Launches {
    int dispatch = 1, return_ = 1;
};

class AllToAll {
  public:
    AllToAll() = default;
    virtual ~AllToAll() = default;
    AllToAll(const AllToAll&) = delete;
    AllToAll& operator=(const AllToAll&) = delete;

    // The messages of a dispatch of rows of `row` bytes. Each comes after those that it waits for.
    [[nodiscard]] std::vector<Message> dispatch(const Exchange& exchange, Bytes row) const;
    // Those of the return: the dispatch's messages backwards.
    [[nodiscard]] std::vector<Message> give_back(const Exchange& exchange, Bytes row) const;

    // Rows that a rank holds on their way to others, and copies of rows beside its send buffer.  [rank]
    [[nodiscard]] virtual std::vector<std::int64_t> staged_rows(const Exchange& exchange) const;
    [[nodiscard]] virtual Launches launches() const { return {}; }

  private:
    // What is sent and what each message forwards, in the order in which each rank sends.
    [[nodiscard]] virtual std::vector<Message> messages(const Exchange& exchange, Bytes row) const;
    // What holds a rank's messages back beyond that.
    virtual void hold_back(std::vector<Message>&) const {}
    [[nodiscard]] std::vector<Message> held_back(std::vector<Message> all) const;
};

// Grid and fabric are referred to. `algorithm` is not Algorithm::chosen.
std::unique_ptr<const AllToAll> make_all_to_all(const DispatchSpec& dispatch, const Profile& profile,
                                                const RankGrid& grid, const Fabric& fabric);

}  // namespace moesim
