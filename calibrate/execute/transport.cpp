#include "calibrate/execute/transport.hpp"

namespace moesim {

kernels::Buffer Transport::memory(std::int64_t bytes) const {
    return {new std::byte[static_cast<std::size_t>(bytes)](), bytes,
            [](void* p) { delete[] static_cast<std::byte*>(p); }};
}

}  // namespace moesim
