#pragma once
// One rank's end of the ranks that execute together.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "base/units.hpp"

namespace moesim {

// Not for several threads at once: whoever made it calls it.
class Transport {
  public:
    virtual ~Transport() = default;
    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    [[nodiscard]] virtual std::size_t ranks() const = 0;
    [[nodiscard]] virtual RankId rank() const = 0;

    // Begin to send or to receive; what is sent has to stay, and what is received is not there, until completed() has
    // named `what`. Messages meet by tag, and those of one pair of ranks with one tag in the order of these calls.
    virtual void send(RankId to, std::uint32_t tag, std::span<const std::byte> bytes, std::size_t what) = 0;
    virtual void receive(RankId from, std::uint32_t tag, std::span<std::byte> bytes, std::size_t what) = 0;
    // Appends what has been completed since the last call.
    virtual void completed(std::vector<std::size_t>& what) = 0;
    // The same, but waits until something has been; something has to be under way.
    virtual void wait(std::vector<std::size_t>& what);

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
