#pragma once
// What the k best of many numbers have in common, found by a block: they exceed a threshold, or are equal to it and
// come early enough.
//
// The toolkit has no such selection by a block (CUDA 12.8: cub::BlockRadixSort and cub::DeviceSegmentedRadixSort sort).
// Sorting is more than is asked for: of 65,536 scores an expert, the device-wide sort reads and writes all keys and
// their numbers once a digit, 16 bytes each time, and then the k best still have to be put back in the order of tokens;
// this reads 4 bytes a score and digit and writes nothing.
#include "kernels/cuda/select_team.cuh"

namespace moesim::kernels::MOESIM_CUDA_SIDE {

struct Threshold {
    float value;
    int last_equal;  // the last number that gets by with just that value; -1: none
    // `floor`: nothing that does not exceed it is ever taken.
    [[nodiscard]] __device__ __forceinline__ bool met(float x, int i, float floor) const {
        return x > value || (x == value && x > floor && i <= last_equal);
    }
};

// Integers in the order of the floats, which are no NaNs; both zeros are one.
__device__ __forceinline__ unsigned ordered(float x) {
    const unsigned bits = bits_of(exact_add(x, 0.0F));
    return bits ^ (bits >> 31 != 0 ? 0xffffffffU : 0x80000000U);
}
__device__ __forceinline__ float from_ordered(unsigned key) {
    return float_of(key ^ (key >> 31 != 0 ? 0x80000000U : 0xffffffffU));
}

inline constexpr int digit_bits = 8, digits = 1 << digit_bits;

// Of bins, from the highest down, the one in which the count reaches `left`; by the first warp. found: that bin, how
// many of it are still needed, how many it has.
__device__ inline void find_digit(const unsigned* bins, unsigned left, unsigned* found) {
    constexpr int each = digits / static_cast<int>(warp_lanes);
    const int lane = static_cast<int>(threadIdx.x), highest = digits - 1 - each * lane;
    unsigned mine = 0;
    for (int j = 0; j < each; ++j) mine += bins[highest - j];
    unsigned upto = mine;
#pragma unroll
    for (int step = 1; step < static_cast<int>(warp_lanes); step *= 2) {
        const unsigned other = __shfl_up_sync(full_warp, upto, static_cast<unsigned>(step));
        if (lane >= step) upto += other;
    }
    unsigned above = upto - mine;
    if (left <= above || left > upto) return;  // in another lane's bins
    int bin = highest;
    for (; left > above + bins[bin]; --bin) above += bins[bin];
    found[0] = static_cast<unsigned>(bin);
    found[1] = left - above;
    found[2] = bins[bin];
}

// The `wanted`th of the numbers whose key is this one, counted from 1; there are as many.
__device__ inline int place_of_equal(const Block& block, const float* x, unsigned count, unsigned key, int wanted) {
    MOESIM_SHARED(place, int);
    for (unsigned begin = 0;; begin += static_cast<unsigned>(block.size)) {
        const unsigned i = begin + static_cast<unsigned>(block.rank);
        const bool equal = i < count && ordered(x[i]) == key;
        const int here = __syncthreads_count(equal ? 1 : 0);
        if (here < wanted) {
            wanted -= here;
            continue;
        }
        const int earlier = block.sums(equal ? 1 : 0).before;
        if (equal && earlier + 1 == wanted) place = static_cast<int>(i);
        block.sync();
        const int found = place;
        block.sync();
        return found;
    }
}

// Of the `keep` best of `count` numbers, 1 <= keep <= count < 2^31; of equal ones the earlier are better. Digit by
// digit from the highest: how often each occurs among those that begin as the threshold does says how it goes on. Four
// passes, whatever the numbers are, and a fifth where some equal ones have to stay out.
__device__ inline Threshold threshold_of(const Block& block, const float* x, unsigned count, unsigned keep) {
    MOESIM_SHARED(bins, unsigned[digits]);
    MOESIM_SHARED(found, unsigned[3]);
    unsigned key = 0, known = 0, left = keep, equal = 0;
    for (int shift = 32 - digit_bits; shift >= 0; shift -= digit_bits) {
        for (int b = block.rank; b < digits; b += block.size) bins[b] = 0;
        block.sync();
        for (unsigned i = static_cast<unsigned>(block.rank); i < count; i += static_cast<unsigned>(block.size)) {
            const unsigned here = ordered(x[i]);
            if ((here & known) == key) atomicAdd(&bins[here >> shift & (digits - 1U)], 1U);
        }
        block.sync();
        if (block.warp() == 0) find_digit(bins, left, found);
        block.sync();
        key |= found[0] << shift;
        known |= (digits - 1U) << shift;
        left = found[1];
        equal = found[2];
    }
    const int last =
        left == equal ? static_cast<int>(count) - 1 : place_of_equal(block, x, count, key, static_cast<int>(left));
    return {from_ordered(key), last};
}

}  // namespace moesim::kernels::MOESIM_CUDA_SIDE
