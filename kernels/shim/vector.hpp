#pragma once
// CUDA's vector types. A copy from or to an address that the type's alignment does not fit throws MisalignedAccess; a
// device stops the kernel there (CUDA C++ Programming Guide, "Device Memory Accesses", "Size and Alignment
// Requirement"). Reading a single member of such an object is not checked.
#include <cstring>
#include <type_traits>

#include "kernels/shim/thread.hpp"

namespace moesim::shim {

// Hides from the compiler what it would conclude from a pointer's type: that it is aligned, so that the check can go,
// or the copy may be an instruction that ends the program.
inline const void* of_unknown_alignment(const void* p) {
    __asm__("" : "+r"(p));
    return p;
}

template <std::size_t bytes>
void aligned_copy(void* to, const void* from) {
    from = of_unknown_alignment(from);
    to = const_cast<void*>(of_unknown_alignment(to));
    if (((reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to)) & (bytes - 1)) != 0) {
        check_alignment(from, bytes);
        check_alignment(to, bytes);
    }
    std::memcpy(to, from, bytes);
}

}  // namespace moesim::shim

// NOLINTBEGIN(bugprone-macro-parentheses, cppcoreguidelines-pro-type-member-init): declared names; as CUDA has them
#define MOESIM_SHIM_VECTOR2(type, component)                                           \
    struct alignas(2 * sizeof(component)) type {                                       \
        component x, y;                                                                \
        type() = default;                                                              \
        type(component x_, component y_) : x(x_), y(y_) {}                             \
        type(const type& other) { aligned_copy<2 * sizeof(component)>(this, &other); } \
        type& operator=(const type& other) {                                           \
            aligned_copy<2 * sizeof(component)>(this, &other);                         \
            return *this;                                                              \
        }                                                                              \
    };                                                                                 \
    inline type make_##type(component x, component y) { return {x, y}; }

#define MOESIM_SHIM_VECTOR4(type, component)                                                         \
    struct alignas(4 * sizeof(component)) type {                                                     \
        component x, y, z, w;                                                                        \
        type() = default;                                                                            \
        type(component x_, component y_, component z_, component w_) : x(x_), y(y_), z(z_), w(w_) {} \
        type(const type& other) { aligned_copy<4 * sizeof(component)>(this, &other); }               \
        type& operator=(const type& other) {                                                         \
            aligned_copy<4 * sizeof(component)>(this, &other);                                       \
            return *this;                                                                            \
        }                                                                                            \
    };                                                                                               \
    inline type make_##type(component x, component y, component z, component w) { return {x, y, z, w}; }
// NOLINTEND(bugprone-macro-parentheses, cppcoreguidelines-pro-type-member-init)

namespace moesim::shim::cuda {

// NOLINTBEGIN(cppcoreguidelines-pro-type-member-init): copies are of all bytes at once
MOESIM_SHIM_VECTOR2(float2, float)
MOESIM_SHIM_VECTOR2(int2, int)
MOESIM_SHIM_VECTOR2(uint2, unsigned)
MOESIM_SHIM_VECTOR2(double2, double)
MOESIM_SHIM_VECTOR2(ushort2, unsigned short)
MOESIM_SHIM_VECTOR4(float4, float)
MOESIM_SHIM_VECTOR4(int4, int)
MOESIM_SHIM_VECTOR4(uint4, unsigned)
MOESIM_SHIM_VECTOR4(ushort4, unsigned short)
MOESIM_SHIM_VECTOR4(uchar4, unsigned char)
// NOLINTEND(cppcoreguidelines-pro-type-member-init)

// Loads and stores with a hint for the caches (CUDA C++ Programming Guide, "Read-Only Data Cache Load Function", "Load
// Functions Using Cache Hints", "Store Functions Using Cache Hints"); here they only move the value.
template <class T>
T __ldg(const T* address) {
    check_alignment(address, alignof(T));
    return *address;
}
template <class T>
T __ldcg(const T* address) {
    return __ldg(address);
}
template <class T>
T __ldcs(const T* address) {
    return __ldg(address);
}
template <class T>
void __stcg(T* address, std::type_identity_t<T> value) {
    check_alignment(address, alignof(T));
    *address = value;
}
template <class T>
void __stcs(T* address, std::type_identity_t<T> value) {
    __stcg(address, value);
}

}  // namespace moesim::shim::cuda

#undef MOESIM_SHIM_VECTOR2
#undef MOESIM_SHIM_VECTOR4
