#pragma once
// Messages between GPUs by NCCL, one rank a GPU; all else by the transport of the hosts.
#include <memory>
#include <string>

#include "calibrate/execute/transport.hpp"
#include "calibrate/nccl/nccl_api.hpp"

namespace moesim {

// NCCL knows no tags: what a rank receives from another meets what that one sends in the order in which both were
// started, and an operation holds up its stream until its peer's has been started too. So a lane is a communicator with
// a stream of its own, and a rank starts the rounds that it expects in their order, each as one group, once all the
// round's messages have been sent and received here.
//
// Why no rank waits for ever. The graph of tasks lays every rank's tasks out by one template: stage after stage of
// micro-batches and chunks, in the same order on all ranks. Take the first round (of an exchange in this order, then by
// number: message_rounds.hpp) that has not ended on some rank.
//  - Every message of it is sent and received at some point: it waits for tasks of its rank that come before it in the
//    template, for memory that such tasks free, for rounds of exchanges before it, or, where it forwards, for earlier
//    rounds of its own exchange; and all of these have ended. The compute stream follows the template and never waits
//    for a message that comes later in it.
//  - Then every rank that has a part in it starts its group: rounds before it in its lane have ended, and no later one
//    is started before it.
//  - Then both ends of each of its messages are at the head of their streams, in groups, in which no message waits for
//    another (NCCL's "Group Calls"), and in the same order of any pair, by tag. So it ends.
// The lanes share the GPU: kernels of both, which are few blocks each, fit beside each other, and those that compute
// end by themselves. Nothing that waits for the whole device happens while messages are under way: connections are made
// by the constructor (an exchange of all with all, on each lane), and memory and code are there after
// KernelWork::rehearse().
//
// Completion: an event after each group. When one message of a group ends by itself NCCL does not tell.
//
// An error that NCCL finds later (ncclCommGetAsyncError) is thrown by completed() as kernels::DeviceFailure with this
// rank's name and those that it was exchanging with, after both communicators were aborted. Others are ended by whoever
// catches it (MPI_Abort).
class NcclTransport final : public Transport {
  public:
    // All ranks of `host` make one together; what it is given is referred to. `backend` allocates on `device`. Throws
    // DeviceFailure.
    NcclTransport(NcclApi& api, Transport& host, kernels::Backend& backend, int device);
    ~NcclTransport() override;

    [[nodiscard]] std::size_t ranks() const override;
    [[nodiscard]] RankId rank() const override;
    void expect(const std::vector<MessageRound>& rounds) override;
    [[nodiscard]] kernels::Buffer memory(std::int64_t bytes) const override;
    // Device memory. Throws InternalError where tags or numbers are not those that were expected.
    void send(RankId to, std::uint32_t tag, std::span<const std::byte> bytes, std::size_t what) override;
    void receive(RankId from, std::uint32_t tag, std::span<std::byte> bytes, std::size_t what) override;
    // Names whole groups, of one lane at a time.
    void completed(std::vector<std::size_t>& what) override;
    [[nodiscard]] Seconds ended_before() const override;
    [[nodiscard]] std::chrono::microseconds between_looks() const override { return {}; }
    // Aborts both communicators: to free memory of the device would wait for their kernels.
    void abandon() noexcept override;

    void barrier() override;
    std::vector<std::vector<std::byte>> gather(std::span<const std::byte> bytes) override;
    void broadcast(std::span<std::byte> bytes) override;
    [[nodiscard]] Seconds now() const override;
    void sleep_until(Seconds time) override;
    [[nodiscard]] Seconds clock_ahead() const override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace moesim
