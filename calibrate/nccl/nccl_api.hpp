#pragma once
// What is used of NCCL and of CUDA's streams and events, so that a fake can stand in: no header of either is needed.
#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "base/units.hpp"

namespace moesim {

// Handles, as the library gives them out. handles.hpp owns them.
struct NcclCommunicator;
struct NcclStream;
struct NcclEvent;

// One process's view, for one thread. All calls throw kernels::DeviceFailure in the library's words, but for those that
// give something back, which have nobody to tell.
class NcclApi {
  public:
    // What ranks find each other by.
    struct UniqueId {
        std::array<std::byte, 128> bytes{};
    };

    virtual ~NcclApi() = default;
    NcclApi() = default;
    NcclApi(const NcclApi&) = delete;
    NcclApi& operator=(const NcclApi&) = delete;

    [[nodiscard]] virtual std::string version() const = 0;  // "2.28.9"

    // What follows is for this device: a property of the calling thread.
    virtual void use_device(int device) = 0;

    [[nodiscard]] virtual UniqueId make_unique_id() = 0;
    // All ranks of the id call it together, and wait for each other.
    [[nodiscard]] virtual NcclCommunicator* make_communicator(const UniqueId& id, int ranks, int rank) = 0;
    virtual void destroy(NcclCommunicator* communicator) noexcept = 0;  // waits for what is under way
    virtual void abort(NcclCommunicator* communicator) noexcept = 0;    // does not; it is gone afterwards
    // What went wrong since, on this rank or on another as this one sees it.
    [[nodiscard]] virtual std::optional<std::string> asynchronous_error(NcclCommunicator* communicator) = 0;

    // Between these, sends and receives are one operation of the stream, in which none waits for another.
    virtual void group_start() = 0;
    virtual void group_end() = 0;
    // Of device memory. A rank's receives from another meet the sends there in order.
    virtual void send(NcclCommunicator* communicator, int peer, const void* data, std::size_t bytes,
                      NcclStream* stream) = 0;
    virtual void receive(NcclCommunicator* communicator, int peer, void* data, std::size_t bytes,
                         NcclStream* stream) = 0;

    [[nodiscard]] virtual NcclStream* make_stream() = 0;
    virtual void destroy(NcclStream* stream) noexcept = 0;
    [[nodiscard]] virtual NcclEvent* make_event() = 0;
    virtual void destroy(NcclEvent* event) noexcept = 0;
    virtual void record(NcclEvent* event, NcclStream* stream) = 0;
    [[nodiscard]] virtual bool ended(NcclEvent* event) = 0;
    // The device's own time from one event to another, both of which have ended.
    [[nodiscard]] virtual Seconds between(NcclEvent* earlier, NcclEvent* later) = 0;
};

}  // namespace moesim
