#include "network/alltoall/window.hpp"

namespace moesim {

void keep_to_window(std::span<Message> messages, std::size_t window, std::size_t ranks, std::size_t first) {
    std::vector<std::vector<std::uint32_t>> of_sender(ranks);
    for (std::size_t i = 0; i < messages.size(); ++i) {
        auto& earlier = of_sender[messages[i].from.value()];
        if (earlier.size() >= window) messages[i].after.push_back(earlier[earlier.size() - window]);
        earlier.push_back(static_cast<std::uint32_t>(first + i));
    }
}

}  // namespace moesim
