#pragma once
// NCCL's order of things between ranks that are threads, and its failures; device memory is the host's.
#include <cstddef>
#include <memory>

#include "calibrate/nccl/nccl_api.hpp"

namespace moesim::test {

// What all ranks share. A group of operations is at work once all groups before it on its stream have ended; an
// operation ends, its bytes copied, once the peer's that it meets is at work too; a group ends with all its operations.
class FakeNcclWorld {
  public:
    FakeNcclWorld();
    ~FakeNcclWorld();
    FakeNcclWorld(const FakeNcclWorld&) = delete;
    FakeNcclWorld& operator=(const FakeNcclWorld&) = delete;

    // For one rank's thread; refers to the world.
    [[nodiscard]] std::unique_ptr<NcclApi> api();

    // From the `operations`th group of the rank on, its communicators report an error. Other ranks do once a
    // communicator of theirs was aborted on another rank.
    void fail_after(int rank, std::size_t groups);
    // The rank has no communicator, and so has no other.
    void fail_to_join(int rank);

    [[nodiscard]] std::size_t handles() const;  // communicators, streams and events that nobody has given back
    [[nodiscard]] std::size_t aborted() const;  // communicators
    [[nodiscard]] std::size_t groups() const;   // that have ended

    struct State;

  private:
    std::unique_ptr<State> state_;
};

}  // namespace moesim::test
