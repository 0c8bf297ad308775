// A planted fault of each kind, and who finds it: the shim by itself, with a typed error; a wrong answer; or one of the
// sanitizers, in a program that is built with it.
#include <sys/wait.h>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "kernels/shim/launch.hpp"
#include "kernels/shim/sanitizers.hpp"
#include "planted.cuh"
#include "support/catch.hpp"

using namespace moesim;
using namespace moesim::planted;
using Catch::Matchers::Contains;
using shim::launch;

namespace {

// What the error says that `work` ends with; fails the test where it is none of this type.
template <class Error, class F>
std::string message(F&& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

// Whether the kernel gives a wrong answer for one of the first seeds.
template <class F>
bool wrong_for_a_seed(F&& right) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        const shim::Schedule schedule(seed);
        if (!right()) return true;
    }
    return false;
}

template <auto kernel>
bool reverses() {
    std::vector<float> from(64), to(64);
    for (std::size_t i = 0; i < 64; ++i) from[i] = static_cast<float>(i);
    launch<kernel>({.block = 64, .shared_bytes = 256}, from.data(), to.data());
    for (std::size_t i = 0; i < 64; ++i)
        if (to[i] != from[63 - i]) return false;
    return true;
}

__global__ void ask_for_much(unsigned char* out) {
    MOESIM_SHARED(much, unsigned char[100 * 1024]);
    *out = much[0];
}
__global__ void nest(int* to) { launch<count_with_atomic>({}, to); }
__global__ void trap_in_thread(unsigned thread) {
    if (threadIdx.x == thread) __trap();
    __syncthreads();
}

// Counts its live objects: what a thread has on its stack is destroyed, however the launch ends.
struct Counted {
    explicit Counted(int* of) : count(of) { ++*count; }
    ~Counted() { --*count; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    int* count;
};
__global__ void hold_at_barrier(int* live, unsigned there) {
    const Counted counted(live);
    if (threadIdx.x < there) __syncthreads();
}

struct Ended {
    int status = 0;
    std::string text;
};
Ended run_program(const std::string& command) {
    Ended ended;
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen((command + " 2>&1").c_str(), "r"),
                                                     [](FILE*) { return 0; });
    std::array<char, 4096> part{};
    for (std::size_t n = 0; (n = std::fread(part.data(), 1, part.size(), pipe.get())) > 0;)
        ended.text.append(part.data(), n);
    ended.status = ::pclose(pipe.get());
    return ended;
}

// How to run a program with a sanitizer here; empty where it cannot be.
std::string runnable(const std::string& program) {
    if (program.empty()) return "";
    // GCC's thread sanitizer of that age knows no layout of addresses with more random bits than 28.
    // The leak checker, which is no part of this, needs rights that a container may not give.
    const std::string with = "env ASAN_OPTIONS=detect_leaks=0 ";
    for (const std::string& command : {with + program, with + "setarch -R " + program})
        if (run_program(command + " none").text.find("no fault none") != std::string::npos) return command;
    return "";
}

void check_planted(const std::string& program, const std::vector<std::array<std::string, 3>>& faults) {
    const std::string command = runnable(program);
    if (command.empty()) {
        WARN("SKIPPED: no program with this sanitizer can be built and run here: " << program);
        return;
    }
    const Ended correct = run_program(command + " correct");
    INFO(correct.text);
    CHECK(correct.status == 0);
    for (const auto& [fault, kind, kernel] : faults) {
        const Ended found = run_program(command + ' ' + fault);
        INFO(fault);
        CHECK(found.status != 0);
        CHECK_THAT(found.text, Contains(kind) && Contains(kernel));
    }
}

}  // namespace

TEST_CASE("planted: a missing barrier gives a wrong answer in some order of the threads") {
    CHECK_FALSE(wrong_for_a_seed(reverses<reverse<true>>));
    CHECK(wrong_for_a_seed(reverses<reverse<false>>));
    CHECK(wrong_for_a_seed([] {
        std::vector<float> from(64), to(64);
        for (std::size_t i = 0; i < 64; ++i) from[i] = static_cast<float>(i);
        launch<shift_without_second_barrier>({.block = 64, .shared_bytes = 256}, from.data(), to.data());
        return to[5] == 7;
    }));
}

TEST_CASE("planted: shared memory that nothing was written to is no zero") {
    float sum = 0;
    launch<sum_without_start>({.block = 32}, &sum);
    CHECK(sum != sum);  // NaN
    const shim::Schedule schedule(1);
    launch<sum_without_start>({.block = 32}, &sum);
    CHECK(sum > 1e30F);
}

TEST_CASE("planted: a barrier that only some threads come to") {
    CHECK_THAT(message<shim::DivergentBarrier>([] { launch<some_end>({.grid = 2, .block = 64}, 40U); }),
               Contains("some_end") && Contains("block (0,0,0), thread (0,0,0)") &&
                   Contains("thread (0,0,0) waits in __syncthreads at planted.cuh:") &&
                   Contains("thread (40,0,0) has ended"));
    CHECK_THAT(message<shim::DivergentBarrier>([] { launch<two_barriers>({.block = 64}, 5U); }),
               Contains("two_barriers") && Contains("thread (5,0,0) waits in __syncthreads"));
    CHECK_THAT(message<shim::WarpFault>([] { launch<barrier_and_warp>({.block = 32}, 5U); }),
               Contains("thread (5,0,0) waits in __syncwarp") && Contains("thread (0,0,0) waits in __syncthreads"));
    CHECK_NOTHROW(launch<barrier_and_warp>({.block = 64}, 0U));
    CHECK_NOTHROW(launch<some_end>({.block = 64}, 64U));
}

TEST_CASE("planted: masks, sources and widths of shuffles that do not hold") {
    std::vector<int> to(32);
    const auto some = [&](unsigned there, unsigned mask, int source, int width) {
        return message<shim::WarpFault>(
            [&] { launch<shuffle_some>({.block = 32}, there, mask, source, width, to.data()); });
    };
    CHECK(some(32, 0xffffffffU, 3, 32) == "no error");
    CHECK(some(8, 0xffU, 3, 32) == "no error");
    CHECK_THAT(some(8, 0xffffffffU, 3, 32), Contains("__shfl_sync") && Contains("thread (8,0,0) has ended"));
    CHECK_THAT(some(32, 0xfffffffeU, 3, 32), Contains("thread (0,0,0)") && Contains("caller's own lane"));
    CHECK_THAT(some(8, 0xffU, 9, 32), Contains("reads lane 9"));
    CHECK_THAT(some(32, 0xffffffffU, 0, 24), Contains("width 24"));
    CHECK_THAT(
        message<shim::WarpFault>([&] { launch<shuffle_some>({.block = 20}, 32U, 0xffffffffU, 0, 32, to.data()); }),
        Contains("lanes that this warp does not have"));
    const auto apart = [&](unsigned even, unsigned odd, bool vote) {
        return message<shim::WarpFault>([&] { launch<shuffle_apart>({.block = 32}, even, odd, vote, to.data()); });
    };
    CHECK(apart(0x55555555U, 0xaaaaaaaaU, false) == "no error");
    CHECK(apart(0x55555555U, 0xaaaaaaaaU, true) == "no error");
    CHECK(apart(0xffffffffU, 0xffffffffU, false) == "no error");  // in two places, but the same call and mask
    CHECK_THAT(apart(0xffffffffU, 0xaaaaaaaaU, false), Contains("with mask 0xffffffff"));
    CHECK_THAT(apart(0xffffffffU, 0xffffffffU, true), Contains("thread (1,0,0) waits in __any_sync"));
}

TEST_CASE("planted: vector accesses off their alignment") {
    alignas(16) std::array<float, 80> from{}, to{};
    const auto copy = [&](int from_shift, int to_shift) {
        return message<shim::MisalignedAccess>(
            [&] { launch<copy_vectors>({.block = 16}, from.data(), from_shift, to.data(), to_shift); });
    };
    CHECK(copy(0, 4) == "no error");
    CHECK_THAT(copy(2, 0), Contains("copy_vectors") && Contains("thread (0,0,0)") &&
                               Contains("8 bytes beyond a multiple of the 16"));
    CHECK_THAT(copy(0, 1), Contains("4 bytes beyond a multiple of the 16"));
    CHECK_NOTHROW(launch<copy_own_vectors>({.block = 16}, from.data(), 2, to.data()));
    CHECK_THROWS_AS(launch<copy_own_vectors>({.block = 16}, from.data(), 1, to.data()), shim::MisalignedAccess);
    CHECK_THROWS_AS(launch<count_with_atomic>({}, reinterpret_cast<int*>(reinterpret_cast<char*>(to.data()) + 2)),
                    shim::MisalignedAccess);
}

TEST_CASE("planted: writes beside shared memory are found without a sanitizer, too") {
    std::vector<int> to(6);
    launch<write_static>({.block = 32}, 6U, to.data());
    CHECK(to == std::vector<int>(6, 3));
    if (shim::address_sanitizer()) return;  // which would end the program
    CHECK_THAT(message<shim::SharedMemoryFault>([&] { launch<write_static>({.block = 32}, 7U, to.data()); }),
               Contains("write_static") && Contains("beside first"));
    CHECK_THAT(message<shim::SharedMemoryFault>([] { launch<write_dynamic>({.block = 32, .shared_bytes = 99}, 100U); }),
               Contains("beside the dynamic shared memory"));
}

TEST_CASE("launches that no device takes") {
    const std::array<shim::Shape, 7> shapes = {{{.grid = 0},
                                                {.block = 0},
                                                {.block = 1025},
                                                {.block = {64, 32}},
                                                {.block = {1, 1, 65}},
                                                {.grid = {1, 65536}},
                                                {.shared_bytes = shim::largest_shared_bytes + 1}}};
    int count = 0;
    for (const shim::Shape& shape : shapes)
        CHECK_THROWS_AS(launch<count_with_atomic>(shape, &count), shim::LaunchFault);
    CHECK_THROWS_AS(launch<nest>({}, &count), shim::LaunchFault);
    CHECK_THROWS_AS(__syncthreads(), shim::LaunchFault);
    CHECK(count == 0);
    unsigned char byte = 0;
    CHECK_THAT(message<shim::SharedMemoryFault>([&] { launch<ask_for_much>({.shared_bytes = 64 * 1024}, &byte); }),
               Contains("much of 102400 bytes"));
    CHECK_NOTHROW(launch<ask_for_much>({.shared_bytes = 63 * 1024}, &byte));
}

TEST_CASE("what a kernel throws comes out of the launch, which leaves nothing behind") {
    CHECK_THAT(message<shim::Trap>([] { launch<trap_in_thread>({.grid = 3, .block = 64}, 7U); }),
               Contains("trap_in_thread, block (0,0,0), thread (7,0,0)"));
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const shim::Schedule schedule(seed);
        int live = 0;
        CHECK_THROWS_AS(launch<hold_at_barrier>({.grid = 5, .block = 64}, &live, 63U), shim::DivergentBarrier);
        CHECK(live == 0);
        CHECK(reverses<reverse<true>>());  // as good as new
    }
}

TEST_CASE("planted: out-of-bounds accesses are found by the address sanitizer") {
    check_planted(MOESIM_PLANTED_ADDRESS, {{"global_read", "heap-buffer-overflow", "read_beyond"},
                                           {"global_write", "heap-buffer-overflow", "write_beyond"},
                                           {"shared_static_write", "use-after-poison", "write_static"},
                                           {"shared_dynamic_write", "use-after-poison", "write_dynamic"},
                                           {"shared_dynamic_read", "use-after-poison", "read_dynamic"}});
}

TEST_CASE("planted: missing barriers and atomics are found by the thread sanitizer") {
    check_planted(MOESIM_PLANTED_THREAD,
                  {{"missing_barrier", "data race", "reverse"},
                   {"missing_second_barrier", "data race", "shift_without_second_barrier"},
                   {"missing_syncwarp", "data race", "exchange_in_warp"},
                   {"missing_atomic", "data race", "count_without_atomic"},
                   {"missing_atomic_between_blocks", "data race", "count_blocks_without_atomic"}});
}
