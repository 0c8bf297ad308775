#pragma once
// Atomic functions (CUDA C++ Programming Guide, "Atomic Functions"): relaxed, so that the thread sanitizer takes them
// for no more ordering than a device gives. In shared and in global memory alike.
#include <bit>
#include <type_traits>

#include "kernels/shim/thread.hpp"

namespace moesim::shim {

template <class T>
using AtomicWord = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// Replaces *address by change(*address) and gives back what it was.
template <class T, class F>
T atomic_change(T* address, F&& change) {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    using Word = AtomicWord<T>;
    before_atomic();
    check_alignment(address, sizeof(T));
    auto* word = reinterpret_cast<Word*>(address);
    Word old = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(word, &old, std::bit_cast<Word>(static_cast<T>(change(std::bit_cast<T>(old)))),
                                        false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return std::bit_cast<T>(old);
}

// a + b as the device adds: integers wrap.
template <class T>
T wrapping_sum(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
        using Unsigned = std::make_unsigned_t<T>;
        return static_cast<T>(static_cast<Unsigned>(a) + static_cast<Unsigned>(b));
    } else {
        return a + b;
    }
}

}  // namespace moesim::shim

namespace moesim::shim::cuda {

// The second argument converts to the first one's type, as in calls of CUDA's overloads.
template <class T>
using Value = std::type_identity_t<T>;

template <class T>
T atomicAdd(T* address, Value<T> value) {
    return atomic_change(address, [&](T old) { return wrapping_sum(old, value); });
}
template <class T>
T atomicSub(T* address, Value<T> value) {
    static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned>);
    return atomic_change(address, [&](T old) { return static_cast<unsigned>(old) - static_cast<unsigned>(value); });
}
template <class T>
T atomicExch(T* address, Value<T> value) {
    return atomic_change(address, [&](T) { return value; });
}
template <class T>
T atomicMin(T* address, Value<T> value) {
    static_assert(std::is_integral_v<T>);
    return atomic_change(address, [&](T old) { return value < old ? value : old; });
}
template <class T>
T atomicMax(T* address, Value<T> value) {
    static_assert(std::is_integral_v<T>);
    return atomic_change(address, [&](T old) { return old < value ? value : old; });
}
template <class T>
T atomicAnd(T* address, Value<T> value) {
    return atomic_change(address, [&](T old) { return old & value; });
}
template <class T>
T atomicOr(T* address, Value<T> value) {
    return atomic_change(address, [&](T old) { return old | value; });
}
template <class T>
T atomicXor(T* address, Value<T> value) {
    return atomic_change(address, [&](T old) { return old ^ value; });
}
// Counts 0, 1, …, limit, 0, …
inline unsigned atomicInc(unsigned* address, unsigned limit) {
    return atomic_change(address, [&](unsigned old) { return old >= limit ? 0 : old + 1; });
}
inline unsigned atomicDec(unsigned* address, unsigned limit) {
    return atomic_change(address, [&](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}
template <class T>
T atomicCAS(T* address, Value<T> expected, Value<T> value) {
    static_assert(std::is_integral_v<T>);
    return atomic_change(address, [&](T old) { return old == expected ? value : old; });
}

}  // namespace moesim::shim::cuda
