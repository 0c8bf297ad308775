#pragma once
// How messages go, by what they are for: over the cluster's links alone, or as a library's call takes them.
#include <deque>
#include <optional>

#include "network/call_links.hpp"
#include "network/message.hpp"

namespace moesim {

enum class Way : unsigned char { cluster, dispatch, return_ };

// The fabric and the start-ups of each way. All ways have the same links, so that one network shares them out.
class Ways {
  public:
    // No calls: all goes the cluster's way.
    Ways(const Fabric& cluster, const Profile& profile);
    // Messages of the calls take links at their rated capacity, since the limits are what is attained; messages of the
    // cluster's way are capped at the profile's efficiency of them, each for itself.
    Ways(const Fabric& cluster, const Profile& profile, const CallLimits& dispatch, const CallLimits& return_);
    Ways(const Ways&) = delete;
    Ways& operator=(const Ways&) = delete;

    [[nodiscard]] const Fabric& fabric(Way way) const { return fabrics_[place(way)]; }
    [[nodiscard]] const MessageModel& model(Way way) const { return models_[place(way)]; }
    // Capacities as the network shares them out.
    [[nodiscard]] const MessageModel& shared() const { return models_.back(); }

  private:
    [[nodiscard]] std::size_t place(Way way) const { return fabrics_.size() == 1 ? 0 : static_cast<std::size_t>(way); }
    // Models refer to fabrics: neither may move.
    std::deque<Fabric> fabrics_;
    std::deque<MessageModel> models_;
};

}  // namespace moesim
