#pragma once
// Indices, barriers and fences, by their CUDA names (CUDA C++ Programming Guide, "Built-in Variables",
// "Synchronization Functions", "Memory Fence Functions").
#include "kernels/shim/thread.hpp"

#define threadIdx (::moesim::shim::self().thread_idx)
#define blockIdx (::moesim::shim::self().block_idx)
#define blockDim (::moesim::shim::self().block_dim)
#define gridDim (::moesim::shim::self().grid_dim)

namespace moesim::shim::cuda {

using dim3 = Dim;
using uint3 = Index;
inline constexpr int warpSize = warp_size;

inline constexpr BlockMeeting sync_threads{"__syncthreads", [](unsigned, unsigned) { return 0; }};
inline constexpr BlockMeeting sync_threads_count{"__syncthreads_count",
                                                 [](unsigned, unsigned with) { return static_cast<int>(with); }};
inline constexpr BlockMeeting sync_threads_or{"__syncthreads_or",
                                              [](unsigned, unsigned with) { return with > 0 ? 1 : 0; }};
inline constexpr BlockMeeting sync_threads_and{"__syncthreads_and",
                                               [](unsigned all, unsigned with) { return with == all ? 1 : 0; }};

inline void __syncthreads(Site site = Site::current()) { meet_block(sync_threads, false, site); }
inline int __syncthreads_count(int predicate, Site site = Site::current()) {
    return meet_block(sync_threads_count, predicate != 0, site);
}
inline int __syncthreads_or(int predicate, Site site = Site::current()) {
    return meet_block(sync_threads_or, predicate != 0, site);
}
inline int __syncthreads_and(int predicate, Site site = Site::current()) {
    return meet_block(sync_threads_and, predicate != 0, site);
}

inline void __threadfence() { fence(); }
inline void __threadfence_block() { fence(); }
inline void __threadfence_system() { fence(); }
inline void __nanosleep(unsigned) { pass(); }
[[noreturn]] inline void __trap() { throw Trap(here(), "__trap()"); }

}  // namespace moesim::shim::cuda
