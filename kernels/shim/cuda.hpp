#pragma once
// What a kernel's source (.cuh) includes first: CUDA itself where nvcc compiles it, and otherwise the shim, under which
// the same source is plain C++ that runs on the host (launch.hpp says how).
//
// Two things are written differently from CUDA, because plain C++ has no word for them:
//   MOESIM_SHARED(tile, float[32][33]);      for  __shared__ float tile[32][33];
//   MOESIM_DYNAMIC_SHARED(values, float);    for  extern __shared__ float values[];   (a pointer; up to 16-byte types)
// Not there: cooperative groups, cp.async and other asynchronous copies, textures, inline PTX, libcu++.
#ifdef __CUDACC__

#define MOESIM_SHARED(name, ...) __shared__ ::moesim::shim::Type<__VA_ARGS__> name
#define MOESIM_DYNAMIC_SHARED(name, ...)                                         \
    extern __shared__ __align__(16) unsigned char moesim_dynamic_shared_bytes[]; \
    __VA_ARGS__* const name = reinterpret_cast<__VA_ARGS__*>(moesim_dynamic_shared_bytes)

namespace moesim::shim {

template <class T>
struct TypeOf {
    using type = T;
};
template <class T>
using Type = typename TypeOf<T>::type;

// For accesses through vector types of one's own; CUDA's own ones (float4, …) are checked anyway.
template <unsigned alignment>
__device__ __forceinline__ void expect_aligned(const void*) {}

}  // namespace moesim::shim

#else

// The standard library goes first: its headers are not to meet the words that are defined below.
#include "kernels/shim/arithmetic.hpp"
#include "kernels/shim/atomic.hpp"
#include "kernels/shim/sync.hpp"
#include "kernels/shim/vector.hpp"
#include "kernels/shim/warp.hpp"

#define __global__ inline  // nvcc takes no inline here; without it a .cuh could be included but once
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static_assert(false, "write MOESIM_SHARED(name, type) or MOESIM_DYNAMIC_SHARED(name, type)");

// NOLINTNEXTLINE(bugprone-macro-parentheses): a declared name
#define MOESIM_SHARED(name, ...) auto& name = ::moesim::shim::shared<__VA_ARGS__>([] {}, #name)
#define MOESIM_DYNAMIC_SHARED(name, ...) __VA_ARGS__* const name = ::moesim::shim::dynamic_shared_as<__VA_ARGS__>()

namespace moesim::shim {

template <class Tag>
inline char key_of = 0;

// The tag's type is one of a kind, so that every declaration (of every instantiation) has its own memory.
template <class T, class Tag>
T& shared(Tag, const char* name) {
    return *static_cast<T*>(shared_variable(&key_of<Tag>, sizeof(T), alignof(T), name));
}
template <class T>
T* dynamic_shared_as() {
    static_assert(alignof(T) <= 16, "a block's dynamic shared memory is aligned to 16 bytes");
    return static_cast<T*>(dynamic_shared());
}
template <unsigned alignment>
void expect_aligned(const void* address) {
    check_alignment(address, alignment);
}

}  // namespace moesim::shim

using namespace moesim::shim::cuda;  // CUDA's names are there without a namespace

#endif
