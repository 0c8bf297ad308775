#pragma once
// One rank's end of the ranks that execute together.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/units.hpp"
#include "kernels/backend.hpp"

namespace moesim {

// Messages of a rank that are started together. Lanes are independent of each other; in a lane one round comes after
// the other.
struct MessageRound {
    std::size_t lane = 0;             // below lanes
    std::vector<std::uint32_t> tags;  // of what is sent and received
    std::size_t messages = 0;         // with these tags, of both kinds
    static constexpr std::size_t lanes = 2;
};

// Not for several threads at once: whoever made it calls it.
class Transport {
  public:
    virtual ~Transport() = default;
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    [[nodiscard]] virtual std::size_t ranks() const = 0;
    [[nodiscard]] virtual RankId rank() const = 0;

    // What the rank will send and receive next: for transports whose messages meet by the order in which they are
    // started, not by tag. Messages that were not expected are started at once, each alone. Only while nothing is under
    // way; all ranks say what fits together (message_rounds.hpp).
    virtual void expect(const std::vector<MessageRound>& rounds) { (void)rounds; }
    // Memory that messages may lie in.
    [[nodiscard]] virtual kernels::Buffer memory(std::int64_t bytes) const;

    // Begin to send or to receive; what is sent has to stay, and what is received is not there, until completed() has
    // named `what`. Messages meet by tag, and those of one pair of ranks with one tag in the order of these calls.
    virtual void send(RankId to, std::uint32_t tag, std::span<const std::byte> bytes, std::size_t what) = 0;
    virtual void receive(RankId from, std::uint32_t tag, std::span<std::byte> bytes, std::size_t what) = 0;
    // Appends what has been completed since the last call.
    virtual void completed(std::vector<std::size_t>& what) = 0;
    // The same, but waits until something has been; something has to be under way.
    virtual void wait(std::vector<std::size_t>& what);
    // How long before completed() returned, what it named had ended, where the device's own clock tells.
    [[nodiscard]] virtual Seconds ended_before() const { return {}; }
    // How long to sleep between calls of completed() that name nothing. Ranks on cores may be many more than cores: who
    // looks all the time takes the time away from those that compute.
    [[nodiscard]] virtual std::chrono::microseconds between_looks() const { return std::chrono::microseconds{100}; }
    // The same where nothing has happened for long: longer only where messages move on while nobody looks.
    [[nodiscard]] virtual std::chrono::microseconds between_looks_at_most() const { return between_looks(); }

    // After a failure: gives up what is under way, whose memory may then go. No messages can be sent any more.
    virtual void abandon() noexcept {}

    // All ranks take part in these, in the same order.
    virtual void barrier() = 0;
    // What every rank gave, on rank 0; nothing elsewhere.  [rank]
    virtual std::vector<std::vector<std::byte>> gather(std::span<const std::byte> bytes) = 0;
    // What rank 0 gave; as many bytes on every rank.
    virtual void broadcast(std::span<std::byte> bytes) = 0;

    // This rank's steady clock, from some moment on; any thread may ask. Not overridden, it is this machine's.
    [[nodiscard]] virtual Seconds now() const;
    // Until that clock shows so much.
    virtual void sleep_until(Seconds time);
    // What it shows more than that of rank 0, as measured when the ranks came together.
    [[nodiscard]] virtual Seconds clock_ahead() const = 0;
};

}  // namespace moesim
