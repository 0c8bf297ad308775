#pragma once
// What a warp does together (CUDA C++ Programming Guide, "Warp Shuffle Functions", "Warp Vote Functions", "Warp Match
// Functions", "Warp Reduce Functions"). Only __syncwarp orders memory. A shuffle may name no lane that has ended or was
// never there: the Guide lets such lanes be named, but a read from one is undefined.
#include <bit>
#include <cstring>
#include <type_traits>

#include "kernels/shim/thread.hpp"

namespace moesim::shim {

template <class T>
std::uint64_t to_word(T value) {
    static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                  "CUDA shuffles int, unsigned, long, unsigned long, long long, unsigned long long, float and double");
    std::uint64_t word = 0;
    std::memcpy(&word, &value, sizeof value);
    return word;
}
template <class T>
T from_word(std::uint64_t word) {
    T value;
    std::memcpy(&value, &word, sizeof value);
    return value;
}

template <class F>
void for_each_lane(std::uint32_t mask, F&& f) {
    for (; mask != 0; mask &= mask - 1) f(static_cast<unsigned>(std::countr_zero(mask)));
}
// All lanes get the same.
template <class F>
void give_all(Lanes& lanes, F&& fold, std::uint64_t result) {
    for_each_lane(lanes.mask, [&](unsigned lane) { result = fold(result, lane); });
    for_each_lane(lanes.mask, [&](unsigned lane) { lanes.result[lane] = result; });
}

inline void complete_nothing(Lanes&) {}
inline void complete_shuffle(Lanes& lanes) {
    for_each_lane(lanes.mask, [&](unsigned lane) { lanes.result[lane] = lanes.value[lanes.source[lane]]; });
}
inline void complete_ballot(Lanes& lanes) {
    const auto add = [&](std::uint64_t votes, unsigned lane) { return votes | (lanes.value[lane] << lane); };
    give_all(lanes, add, 0);
}
inline void complete_match(Lanes& lanes) {
    for_each_lane(lanes.mask, [&](unsigned lane) {
        for_each_lane(lanes.mask, [&](unsigned other) {
            if (lanes.value[other] == lanes.value[lane]) lanes.result[lane] |= std::uint64_t{1} << other;
        });
    });
}
// Folds 32-bit values of type T, in the order of the lanes.
template <class T, class F>
void complete_reduce(Lanes& lanes) {
    T sum = from_word<T>(lanes.value[static_cast<unsigned>(std::countr_zero(lanes.mask))]);
    for_each_lane(lanes.mask & (lanes.mask - 1),
                  [&](unsigned lane) { sum = F{}(sum, from_word<T>(lanes.value[lane])); });
    for_each_lane(lanes.mask, [&](unsigned lane) { lanes.result[lane] = to_word(sum); });
}

// The lane of a shuffle's source, once it is known to be one that is named. Throws WarpFault.
std::uint32_t checked_source(const char* name, std::uint32_t mask, std::uint32_t source);
// The lowest lane of the caller's segment of `width` lanes. Throws WarpFault where that is no power of two up to 32.
std::uint32_t segment_begin(const char* name, int width);

template <class T>
T shuffle(const WarpMeeting& meeting, std::uint32_t mask, T value, std::uint32_t source, const Site& site) {
    return from_word<T>(meet_warp(meeting, mask, to_word(value), checked_source(meeting.name, mask, source), site));
}

}  // namespace moesim::shim

namespace moesim::shim::cuda {

inline constexpr WarpMeeting shuffle_to{"__shfl_sync", complete_shuffle, false, true};
inline constexpr WarpMeeting shuffle_up{"__shfl_up_sync", complete_shuffle, false, true};
inline constexpr WarpMeeting shuffle_down{"__shfl_down_sync", complete_shuffle, false, true};
inline constexpr WarpMeeting shuffle_xor{"__shfl_xor_sync", complete_shuffle, false, true};
inline constexpr WarpMeeting vote_ballot{"__ballot_sync", complete_ballot, false, false};
inline constexpr WarpMeeting vote_any{"__any_sync", complete_ballot, false, false};
inline constexpr WarpMeeting vote_all{"__all_sync", complete_ballot, false, false};
inline constexpr WarpMeeting match_any{"__match_any_sync", complete_match, false, false};
inline constexpr WarpMeeting sync_warp{"__syncwarp", complete_nothing, true, false};

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, Site site = Site::current()) {
    const std::uint32_t begin = segment_begin(shuffle_to.name, width);
    return shuffle(shuffle_to, mask, value, begin + (static_cast<unsigned>(source) & static_cast<unsigned>(width - 1)),
                   site);
}
// Where there is no such lane in the segment, a thread keeps its own value.
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, Site site = Site::current()) {
    const std::uint32_t begin = segment_begin(shuffle_up.name, width), lane = self().lane;
    return shuffle(shuffle_up, mask, value, lane - begin >= delta ? lane - delta : lane, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, Site site = Site::current()) {
    const std::uint32_t end = segment_begin(shuffle_down.name, width) + static_cast<unsigned>(width);
    const std::uint32_t lane = self().lane;
    return shuffle(shuffle_down, mask, value, delta < end - lane ? lane + delta : lane, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, Site site = Site::current()) {
    const std::uint32_t end = segment_begin(shuffle_xor.name, width) + static_cast<unsigned>(width);
    const std::uint32_t lane = self().lane, other = lane ^ static_cast<unsigned>(lane_mask);
    return shuffle(shuffle_xor, mask, value, other < end ? other : lane, site);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, Site site = Site::current()) {
    return static_cast<unsigned>(meet_warp(vote_ballot, mask, predicate != 0, 0, site));
}
inline int __any_sync(unsigned mask, int predicate, Site site = Site::current()) {
    return meet_warp(vote_any, mask, predicate != 0, 0, site) != 0;
}
inline int __all_sync(unsigned mask, int predicate, Site site = Site::current()) {
    return meet_warp(vote_all, mask, predicate == 0, 0, site) == 0;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, Site site = Site::current()) {
    return static_cast<unsigned>(meet_warp(match_any, mask, to_word(value), 0, site));
}
inline void __syncwarp(unsigned mask = 0xffffffffU, Site site = Site::current()) {
    meet_warp(sync_warp, mask, 0, 0, site);
}
// Whoever runs beside the caller is the scheduler's affair: it alone is a right answer, and the one that shows code
// that counts on more.
inline unsigned __activemask() { return 1U << self().lane; }

struct Sum {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(static_cast<unsigned>(a) + static_cast<unsigned>(b));  // wraps
    }
};
struct Least {
    template <class T>
    T operator()(T a, T b) const {
        return b < a ? b : a;
    }
};
struct Greatest {
    template <class T>
    T operator()(T a, T b) const {
        return a < b ? b : a;
    }
};
template <class T, class F>
inline constexpr WarpMeeting reduction{"__reduce_sync", complete_reduce<T, F>, false, false};

template <class T>
T __reduce_add_sync(unsigned mask, T value, Site site = Site::current()) {
    return from_word<T>(meet_warp(reduction<T, Sum>, mask, to_word(value), 0, site));
}
template <class T>
T __reduce_min_sync(unsigned mask, T value, Site site = Site::current()) {
    return from_word<T>(meet_warp(reduction<T, Least>, mask, to_word(value), 0, site));
}
template <class T>
T __reduce_max_sync(unsigned mask, T value, Site site = Site::current()) {
    return from_word<T>(meet_warp(reduction<T, Greatest>, mask, to_word(value), 0, site));
}

}  // namespace moesim::shim::cuda
