#pragma once
// Loops over threads.
#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <cstdint>

namespace moesim::kernels {

// Below this much work (bytes touched, or about as many operations) waking threads takes longer than it saves.
inline constexpr std::int64_t worth_a_thread = 1 << 16;

inline int threads_for(int threads, std::int64_t work) {
    return static_cast<int>(std::clamp<std::int64_t>(work / worth_a_thread, 1, threads));
}

// Of the threads of a parallel loop.
inline std::int64_t thread_number() {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

// Calls use(begin, end) for `threads` runs of 0 .. count of about equal length, each on a thread of its own.
template <class Use>
void in_parallel(int threads, std::int64_t count, const Use& use) {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int thread = 0; thread < threads; ++thread) {
        const std::int64_t begin = count * thread / threads, end = count * (thread + 1) / threads;
        if (begin < end) use(begin, end);
    }
}

}  // namespace moesim::kernels
