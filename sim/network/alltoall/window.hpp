#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "traffic/messages.hpp"

namespace moesim {

// Lets no sender have more than `window` messages under way at once: each waits, beside what it waits for anyway, for
// the sender's message `window` places earlier in the list to have arrived.
void keep_to_window(std::span<Message> messages, std::size_t window, std::size_t ranks, std::size_t first = 0);

}  // namespace moesim
