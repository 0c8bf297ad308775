#pragma once
// What NcclApi hands out, owned.
#include <exception>
#include <memory>
#include <utility>

#include "calibrate/nccl/nccl_api.hpp"

namespace moesim {

template <class Handle>
class GivesBack {
  public:
    explicit GivesBack(NcclApi* api = nullptr) : api_(api) {}
    void operator()(Handle* handle) const { api_->destroy(handle); }

  private:
    NcclApi* api_;
};
template <class Handle>
using NcclOwned = std::unique_ptr<Handle, GivesBack<Handle>>;

inline NcclOwned<NcclStream> make_stream(NcclApi& api) { return {api.make_stream(), GivesBack<NcclStream>(&api)}; }
inline NcclOwned<NcclEvent> make_event(NcclApi& api) { return {api.make_event(), GivesBack<NcclEvent>(&api)}; }

// Calls that are one operation. end() is theirs, and where a call throws, it still is.
class GroupedCalls {
  public:
    explicit GroupedCalls(NcclApi& api) : api_(api) { api.group_start(); }
    ~GroupedCalls() {
        if (ended_) return;
        try {
            api_.group_end();
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): what was thrown first is what is told
        }
    }
    GroupedCalls(const GroupedCalls&) = delete;
    GroupedCalls& operator=(const GroupedCalls&) = delete;
    void end() {
        ended_ = true;
        api_.group_end();
    }

  private:
    NcclApi& api_;
    bool ended_ = false;
};

// A communicator, given back when idle and aborted when not: to give it back waits for what is under way, which after a
// failure may be for ever.
class OwnedCommunicator {
  public:
    OwnedCommunicator(NcclApi& api, const NcclApi::UniqueId& id, int ranks, int rank)
        : api_(&api), handle_(api.make_communicator(id, ranks, rank)) {}
    ~OwnedCommunicator() {
        if (handle_ == nullptr) return;
        if (busy_)
            api_->abort(handle_);
        else
            api_->destroy(handle_);
    }
    OwnedCommunicator(OwnedCommunicator&& o) noexcept
        : api_(o.api_), handle_(std::exchange(o.handle_, nullptr)), busy_(o.busy_) {}
    OwnedCommunicator& operator=(OwnedCommunicator&&) = delete;

    [[nodiscard]] NcclCommunicator* get() const { return handle_; }
    void set_busy(bool busy) { busy_ = busy; }
    void abort() {
        if (NcclCommunicator* const handle = std::exchange(handle_, nullptr)) api_->abort(handle);
    }

  private:
    NcclApi* api_;
    NcclCommunicator* handle_;
    bool busy_ = false;
};

}  // namespace moesim
