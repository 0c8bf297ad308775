#include "network/ways.hpp"

#include <array>

namespace moesim {

Ways::Ways(const Fabric& cluster, const Profile& profile) {
    models_.emplace_back(fabrics_.emplace_back(cluster), profile);
}

Ways::Ways(const Fabric& cluster, const Profile& profile, const CallLimits& dispatch, const CallLimits& return_) {
    const std::array<Call, 2> calls = {{{"dispatch", dispatch}, {"return", return_}}};
    WithCalls all = with_calls(cluster, calls);
    models_.emplace_back(fabrics_.emplace_back(std::move(all.others)), profile, true);
    for (Fabric& call : all.calls)
        models_.emplace_back(fabrics_.emplace_back(std::move(call)), without_link_losses(profile));
}

}  // namespace moesim
