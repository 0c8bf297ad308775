#pragma once
// Where work queues up, and the moments between.
#include <cstdint>
#include <memory>

#include "base/units.hpp"

namespace moesim::kernels {

// A moment in a stream's work.
class Event {
  public:
    virtual ~Event() = default;
    Event() = default;
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    // The device's own time between the two moments, of the same backend; waits for both. Throws DeviceFailure.
    [[nodiscard]] virtual Seconds since(const Event& earlier) const = 0;
};

// Work is done in the order in which it was given, perhaps after the call that gave it has returned: what it reads and
// writes has to stay until synchronize(). The CPU's streams are done when the call returns. Not for several threads at
// once.
class Stream {
  public:
    virtual ~Stream() = default;
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // Waits for all work so far. Throws DeviceFailure where some of it failed.
    virtual void synchronize() = 0;
    virtual std::unique_ptr<Event> record() = 0;

    // Between the host's memory and the backend's.
    virtual void copy_in(void* to, const void* from_host, std::int64_t bytes) = 0;
    virtual void copy_out(void* to_host, const void* from, std::int64_t bytes) = 0;
    // Within the backend's memory.
    virtual void copy(void* to, const void* from, std::int64_t bytes) = 0;
    virtual void fill_bytes(void* to, unsigned char value, std::int64_t bytes) = 0;
};

}  // namespace moesim::kernels
