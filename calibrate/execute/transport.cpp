#include "calibrate/execute/transport.hpp"

#include <chrono>
#include <thread>

namespace moesim {

kernels::Buffer Transport::memory(std::int64_t bytes) const {
    return {new std::byte[static_cast<std::size_t>(bytes)](), bytes,
            [](void* p) { delete[] static_cast<std::byte*>(p); }};
}

void Transport::wait(std::vector<std::size_t>& what) {
    const std::size_t before = what.size();
    for (completed(what); what.size() == before; completed(what)) std::this_thread::sleep_for(between_looks());
}

Seconds Transport::now() const {
    return Seconds(std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

void Transport::sleep_until(Seconds time) {
    std::this_thread::sleep_for(std::chrono::duration<double>((time - now()).value()));
}

}  // namespace moesim
