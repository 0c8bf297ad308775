#pragma once
// What the shim throws where a kernel, or its launch, is wrong. The message begins with the kernel's name, block and
// thread.
#include <optional>
#include <string>

#include "base/error.hpp"

namespace moesim::shim {

// Three numbers of CUDA's: a thread in its block, or a block in its grid.
struct Index {
    unsigned x = 0, y = 0, z = 0;
    friend bool operator==(const Index&, const Index&) = default;
};
inline std::string to_string(const Index& i) {
    return '(' + std::to_string(i.x) + ',' + std::to_string(i.y) + ',' + std::to_string(i.z) + ')';
}

struct Where {
    std::string kernel;
    Index block;
    std::optional<Index> thread;  // none where the fault is the block's
};

class Fault : public InternalError {
  public:
    Fault(const std::optional<Where>& where, const std::string& what)
        : InternalError(beginning(where) + what), where_(where) {}
    // None where the fault is not in a kernel (a misaligned access of the host's).
    [[nodiscard]] const std::optional<Where>& where() const { return where_; }

  private:
    static std::string beginning(const std::optional<Where>& where) {
        if (!where) return "";
        return where->kernel + ", block " + to_string(where->block) +
               (where->thread ? ", thread " + to_string(*where->thread) : "") + ": ";
    }

    std::optional<Where> where_;
};

// Some threads of the block wait at a barrier that others do not come to: they have ended, or wait elsewhere.
class DivergentBarrier : public Fault {
    using Fault::Fault;
};

// A warp's call whose mask, width or source lane does not hold.
class WarpFault : public Fault {
    using Fault::Fault;
};

// An access that needs more alignment than its address has.
class MisalignedAccess : public Fault {
    using Fault::Fault;
};

// Writes beside a variable in shared memory, or more of it than a block may have.
class SharedMemoryFault : public Fault {
    using Fault::Fault;
};

// A grid or block that no device takes, or device code that is called outside of a launch.
class LaunchFault : public Fault {
    using Fault::Fault;
};

// The kernel called __trap().
class Trap : public Fault {
    using Fault::Fault;
};

}  // namespace moesim::shim
