// What the shim gives a kernel: CUDA's functions by the CUDA C++ Programming Guide, and the samples' right answers.
#include <bit>
#include <set>

#include "kernels/shim/launch.hpp"
#include "samples.hpp"
#include "support/catch.hpp"

using namespace moesim;
using shim::launch;

namespace {

__global__ void write_indices(int* numbers, dim3* seen) {
    const unsigned in_block = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    ++numbers[block * threads + in_block];
    seen[0] = gridDim;
    seen[1] = blockDim;
}

__global__ void shuffle_ways(int* out) {
    const int lane = static_cast<int>(threadIdx.x);
    int* to = out + lane;
    to[0] = __shfl_sync(0xffffffffU, lane, 3, 8);      // lane 3 of one's eight
    to[32] = __shfl_sync(0xffffffffU, lane, 35);       // of 32 lanes, 35 is 3
    to[64] = __shfl_up_sync(0xffffffffU, lane, 2, 8);  // stays in the eight
    to[96] = __shfl_down_sync(0xffffffffU, lane, 2);   // the last two keep theirs
    to[128] = __shfl_xor_sync(0xffffffffU, lane, 5);
    to[160] = __shfl_xor_sync(0xffffffffU, lane, 8, 8);  // later segments are out of reach, earlier ones are not
    to[192] = static_cast<int>(__shfl_down_sync(0xffffffffU, 0.5 + lane, 1) * 2);
    to[224] = static_cast<int>(__shfl_xor_sync(0xffffffffU, (1LL << 40) + lane, 1) >> 8 & 1) +
              static_cast<int>(__shfl_up_sync(0xffffffffU, static_cast<float>(lane), 1U));
}

__global__ void votes(unsigned* out) {
    const unsigned lane = threadIdx.x;
    const unsigned mask = lane < 8 ? 0xffU : 0xffffff00U;  // two groups, each by itself
    unsigned* to = out + lane;
    to[0] = __ballot_sync(mask, static_cast<int>(lane % 2));
    to[32] = static_cast<unsigned>(__any_sync(mask, lane == 31));
    to[64] = static_cast<unsigned>(__all_sync(mask, lane < 8));
    to[96] = __match_any_sync(mask, static_cast<int>(lane) % 3);
    to[128] = __reduce_add_sync(mask, lane);
    to[160] = static_cast<unsigned>(__reduce_min_sync(mask, -static_cast<int>(lane)));
    to[192] = __reduce_max_sync(mask, lane);
    to[224] = __activemask() >> lane & 1U;
}

__global__ void block_votes(int* out) {
    const int i = static_cast<int>(threadIdx.x);
    out[i] = __syncthreads_count(i % 3 == 0) * 100 + __syncthreads_or(i == 47) * 10 + __syncthreads_and(i != 47);
}

// A warp's lanes may end one after the other; a vote counts those that are there.
__global__ void vote_of_some(unsigned* out) {
    if (threadIdx.x % 2 == 1) return;
    out[threadIdx.x] = __ballot_sync(0xffffffffU, 1);
    __syncwarp();
}

__global__ void all_atomics(int* i, unsigned* u, unsigned long long* l, float* f, double* d) {
    const int n = static_cast<int>(threadIdx.x);
    atomicAdd(&i[0], n);
    atomicSub(&i[1], 1);
    atomicMin(&i[2], -n);
    atomicMax(&i[3], n);
    atomicOr(&u[0], 1U << n % 32);
    atomicAnd(&u[1], ~(1U << n % 32));
    atomicXor(&u[2], 1U);
    atomicInc(&u[3], 9);
    atomicDec(&u[4], 9);
    atomicAdd(&l[0], 1ULL << 32);
    atomicMax(&l[1], static_cast<unsigned long long>(n) << 33);
    atomicAdd(f, 0.5F);
    atomicAdd(d, 0.25);
    for (unsigned expected = static_cast<unsigned>(n); atomicCAS(&u[5], expected, expected + 1) != expected;) {
    }  // one after the other, by number
    if (n == 0) atomicExch(&u[6], 77U);
}

// A lock by spinning, as nobody should write it, gets on all the same.
__global__ void count_under_lock(int* lock, int* count) {
    while (atomicCAS(lock, 0, 1) != 0) __nanosleep(10);
    __threadfence();
    ++*count;
    __threadfence();
    atomicExch(lock, 0);
}

template <int n>
__global__ void shared_of_each_kind(std::uintptr_t* out) {
    MOESIM_SHARED(bytes, unsigned char[n]);
    MOESIM_SHARED(number, double);
    MOESIM_DYNAMIC_SHARED(rest, float4);
    static_assert(sizeof bytes == n);
    out[0] = reinterpret_cast<std::uintptr_t>(bytes);
    out[1] = reinterpret_cast<std::uintptr_t>(&number);
    out[2] = reinterpret_cast<std::uintptr_t>(rest);
}

__global__ void first_word_of_shared(unsigned* out) {
    MOESIM_SHARED(words, unsigned[4]);
    out[blockIdx.x] = words[3];
    words[3] = 5;
}

__global__ void order_of_threads(unsigned* next, unsigned* order) { order[atomicAdd(next, 1U)] = threadIdx.x; }

std::vector<unsigned> order_with(std::uint64_t seed) {
    const shim::Schedule schedule(seed);
    unsigned next = 0;
    std::vector<unsigned> order(40);
    launch<order_of_threads>({.block = 40}, &next, order.data());
    return order;
}

}  // namespace

TEST_CASE("the samples give the right answers in every order of threads and blocks") {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
        const shim::Schedule schedule(seed);
        for (const unsigned threads : {32U, 96U, 1024U}) CHECK(samples::run_all(threads) == "");
    }
}

TEST_CASE("every thread of every block runs once, and knows who it is") {
    std::vector<int> numbers(2 * 3 * 2 * 5 * 2 * 3);
    dim3 seen[2];
    launch<write_indices>({.grid = {2, 3, 2}, .block = {5, 2, 3}}, numbers.data(), seen);
    CHECK(std::set<int>(numbers.begin(), numbers.end()) == std::set<int>{1});
    CHECK(seen[0] == dim3(2, 3, 2));
    CHECK(seen[1] == dim3(5, 2, 3));
}

TEST_CASE("shuffles: within segments, and a lane keeps its own value where there is no source") {
    std::vector<int> out(8 * 32);
    launch<shuffle_ways>({.block = 32}, out.data());
    for (int lane = 0; lane < 32; ++lane) {
        const auto at = [&](int row) {
            return out[static_cast<std::size_t>(row) * 32 + static_cast<std::size_t>(lane)];
        };
        CHECK(at(0) == lane / 8 * 8 + 3);
        CHECK(at(1) == 3);
        CHECK(at(2) == (lane % 8 >= 2 ? lane - 2 : lane));
        CHECK(at(3) == (lane < 30 ? lane + 2 : lane));
        CHECK(at(4) == (lane ^ 5));
        CHECK(at(5) == (lane % 16 >= 8 ? lane - 8 : lane));
        CHECK(at(6) == 2 * (lane < 31 ? lane + 1 : lane) + 1);
        CHECK(at(7) == (lane > 0 ? lane - 1 : lane));
    }
}

TEST_CASE("votes, matches and reductions of a part of a warp") {
    std::vector<unsigned> out(8 * 32);
    launch<votes>({.block = 32}, out.data());
    for (unsigned lane = 0; lane < 32; ++lane) {
        const bool low = lane < 8;
        const auto at = [&](unsigned row) { return out[row * 32 + lane]; };
        unsigned same = 0;
        for (unsigned other = low ? 0 : 8; other < (low ? 8U : 32U); ++other)
            if (other % 3 == lane % 3) same |= 1U << other;
        CHECK(at(0) == (low ? 0xaaU : 0xaaaaaa00U));
        CHECK(at(1) == (low ? 0U : 1U));
        CHECK(at(2) == (low ? 1U : 0U));
        CHECK(at(3) == same);
        CHECK(at(4) == (low ? 28U : 468U));
        CHECK(static_cast<int>(at(5)) == (low ? -7 : -31));
        CHECK(at(6) == (low ? 7U : 31U));
        CHECK(at(7) == 1U);
    }
    std::vector<unsigned> some(32);
    launch<vote_of_some>({.block = 32}, some.data());
    CHECK(some[0] == 0x55555555U);
    CHECK(some[30] == 0x55555555U);
}

TEST_CASE("barriers that count") {
    std::vector<int> out(48);
    launch<block_votes>({.block = 48}, out.data());
    CHECK(std::set<int>(out.begin(), out.end()) == std::set<int>{1610});
}

TEST_CASE("atomics") {
    for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{3}}) {
        const shim::Schedule schedule(seed);
        std::vector<int> i(4);
        std::vector<unsigned> u = {0, ~0U, 0, 0, 0, 0, 0};
        std::vector<unsigned long long> l(2);
        float f = 0;
        double d = 0;
        launch<all_atomics>({.block = 65}, i.data(), u.data(), l.data(), &f, &d);
        CHECK(i == std::vector<int>{65 * 64 / 2, -65, -64, 64});
        CHECK(u == std::vector<unsigned>{~0U, 0, 1, 65 % 10, 5, 65, 77});
        CHECK(l == std::vector<unsigned long long>{65ULL << 32, 64ULL << 33});
        CHECK(f == 32.5F);
        CHECK(d == 16.25);
        int lock = 0, count = 0;
        launch<count_under_lock>({.grid = 3, .block = 40}, &lock, &count);
        CHECK(count == 120);
    }
}

TEST_CASE("bits and reinterpretation") {
    CHECK(__popc(0xf0f0U) == 8);
    CHECK(__popcll(~0ULL) == 64);
    CHECK(__clz(0) == 32);
    CHECK(__clz(1) == 31);
    CHECK(__clzll(1) == 63);
    CHECK(__ffs(0) == 0);
    CHECK(__ffs(8) == 4);
    CHECK(__ffsll(1LL << 40) == 41);
    CHECK(__brev(0x80000001U) == 0x80000001U);
    CHECK(__brev(1U) == 0x80000000U);
    CHECK(__float_as_uint(1.0F) == 0x3f800000U);
    CHECK(__uint_as_float(0xc0000000U) == -2.0F);
    CHECK(__int_as_float(__float_as_int(3.5F)) == 3.5F);
    CHECK(__longlong_as_double(__double_as_longlong(0.1)) == 0.1);
    CHECK(rsqrtf(4.0F) == 0.5F);
}

TEST_CASE("shared memory: each variable and each instantiation has its own, aligned, and filled anew for each block") {
    std::vector<std::uintptr_t> a(3), b(3);
    launch<shared_of_each_kind<3>>({.shared_bytes = 32}, a.data());
    launch<shared_of_each_kind<5>>({.shared_bytes = 32}, b.data());
    CHECK(std::set<std::uintptr_t>(a.begin(), a.end()).size() == 3);
    for (const auto address : a) CHECK(address % 16 == 0);
    for (std::uint64_t seed = 0; seed < 2; ++seed) {
        const shim::Schedule schedule(seed);
        std::vector<unsigned> words(5);
        launch<first_word_of_shared>({.grid = 5}, words.data());
        CHECK(words == std::vector<unsigned>(5, seed == 0 ? 0xffffffffU : 0x7b7b7b7bU));
    }
}

TEST_CASE("the order of threads is that of their numbers, or a random one that a seed repeats") {
    const std::vector<unsigned> by_number = order_with(0), one = order_with(1);
    CHECK(std::is_sorted(by_number.begin(), by_number.end()));
    CHECK(one == order_with(1));
    CHECK(one != by_number);
    CHECK(one != order_with(2));
    CHECK(order_with(0) == by_number);
}
