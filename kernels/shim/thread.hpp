#pragma once
// One CUDA thread, as the code that it runs sees it, and the places where it waits for others.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/shim/fault.hpp"

namespace moesim::shim {

inline constexpr unsigned warp_size = 32;

struct Dim : Index {
    constexpr Dim(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : Index{x_, y_, z_} {}
    [[nodiscard]] std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

struct Thread {
    Index thread_idx, block_idx;
    Dim block_dim, grid_dim;
    unsigned number = 0, lane = 0;  // in the block, in the warp: threadIdx.x counts fastest, then .y, then .z
    std::uint32_t warp_lanes = 0;   // the lanes that this warp has; the last warp of a block may have fewer than 32
    unsigned atomics = 0;           // how many it has done
    std::string_view kernel;
};

// The thread that runs now; null outside of a launch. Constant initialisation spares every use a call.
inline constinit thread_local Thread* running = nullptr;

[[noreturn]] void outside_of_a_launch();
inline Thread& self() {
    if (running == nullptr) outside_of_a_launch();
    return *running;
}
// Where the running thread is; none outside of a launch.
std::optional<Where> here();

// The line that calls.
struct Site {
    const char* file;
    int line;
    static constexpr Site current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return {file, line};
    }
    friend bool operator==(const Site&, const Site&) = default;
};

// How a block meets. All its threads have to come, to the same line.
struct BlockMeeting {
    const char* name;
    int (*result)(unsigned threads, unsigned with_predicate);
};
int meet_block(const BlockMeeting& meeting, bool predicate, const Site& site);

// What the lanes of a warp bring to a meeting, and take away. [lane]
struct Lanes {
    std::uint32_t mask = 0;  // only what these lanes bring is set
    std::array<std::uint64_t, warp_size> value = {}, result = {};
    std::array<std::uint32_t, warp_size> source = {};  // shuffles: the lane whose value this one takes
};

// How lanes of a warp meet: all that the mask names have to come, with the same mask.
struct WarpMeeting {
    const char* name;
    void (*complete)(Lanes& lanes);
    bool orders_memory;  // of the warp's calls only __syncwarp does
    bool needs_all;      // a lane that has ended or was never there may not be named
};
std::uint64_t meet_warp(const WarpMeeting& meeting, std::uint32_t mask, std::uint64_t value, std::uint32_t source,
                        const Site& site);

// Lets other threads run. before_atomic: only sometimes, so that threads that wait for a value in memory get on.
void pass();
void before_atomic();
void fence();

// Throws MisalignedAccess where the address is no multiple of the alignment.
void check_alignment(const void* address, std::size_t alignment);

// A variable of the running block, the same for all its threads; `key` names it, `name` is for people.
void* shared_variable(const void* key, std::size_t bytes, std::size_t alignment, const char* name);
// What the launch gave the block.
void* dynamic_shared();

}  // namespace moesim::shim
