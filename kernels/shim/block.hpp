#pragma once
// One block that is being run: its threads, what they wait for, and its shared memory.
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "kernels/shim/fibre.hpp"
#include "kernels/shim/launch.hpp"
#include "kernels/shim/shared_arena.hpp"

namespace moesim::shim {

struct Launch {
    const Shape& shape;
    std::string_view kernel;
    void (*call)(const void*);
    const void* closure;
};

class Block;

// A thread with all that the shim keeps for it.
struct Running : Thread {
    Running(Block& its_block, const std::string& name) : block(its_block), fibre(name) {}

    // Until it waits or ends.
    void run();

    enum class State { ready, at_block_meeting, at_warp_meeting, ended };

    Block& block;
    Fibre fibre;
    const Launch* launch = nullptr;
    State state = State::ended;
    bool begun = false;      // with its fibre
    bool abandoned = false;  // its kernel is unwound as soon as it runs again
    std::exception_ptr error;
    // What it waits for, and brings there.
    const BlockMeeting* block_meeting = nullptr;
    const WarpMeeting* warp_meeting = nullptr;
    Site site{};
    std::uint32_t mask = 0, source = 0;
    std::uint64_t value = 0, result = 0;
};

class Block {
  public:
    // `number` tells the blocks apart that run side by side.
    explicit Block(unsigned number) : number_(number) {}

    // Has at least so many threads, which exist from one launch to the next.
    void prepare(unsigned threads);
    // Sets out on another block. Its threads are ready.
    void begin(const Launch& launch, const Index& index, unsigned char pattern);
    // What a thread did when it ran last; those that can go on now are appended to `ready`. Throws what it threw, and
    // DivergentBarrier or WarpFault where nothing in the block can go on any more.
    void settle(Running& thread, std::vector<Running*>& ready);
    [[nodiscard]] bool done() const { return ended_ == threads_; }
    // What can only be seen now that it is done. Throws SharedMemoryFault.
    void check() const;
    // Unwinds what has not ended.
    void abandon();
    // To the thread sanitizer: what has happened so far in one is seen from now on by the other.
    void after_caller();
    void before_caller();

    [[nodiscard]] Running& thread(unsigned n) const { return *running_[n]; }
    [[nodiscard]] unsigned threads() const { return threads_; }
    [[nodiscard]] SharedArena& shared() { return shared_; }
    [[nodiscard]] std::size_t dynamic_bytes() const { return dynamic_bytes_; }

  private:
    // Its lanes, as bits.
    struct Warp {
        std::uint32_t waiting = 0;  // in a call of the warp's
        std::uint32_t ended = 0;    // or never there
    };

    void meet(Running& thread, std::vector<Running*>& ready);
    void try_warp(const Running& thread, std::vector<Running*>& ready);
    void release(Running& thread, std::vector<Running*>& ready);
    [[nodiscard]] Running* lane(const Running& of_warp, unsigned lane) const;
    [[nodiscard]] Warp& warp_of(const Running& thread) { return warps_[thread.number / warp_size]; }
    void order_all(char& point) const;
    [[noreturn]] void stuck() const;
    [[nodiscard]] std::string doing(const Running& thread) const;

    unsigned number_;
    std::vector<std::unique_ptr<Running>> running_;
    std::vector<Warp> warps_;
    SharedArena shared_;
    Index index_;
    std::string kernel_;
    std::size_t dynamic_bytes_ = 0;
    unsigned threads_ = 0, ready_ = 0, at_meeting_ = 0, ended_ = 0;
    // Addresses through which the thread sanitizer is told of an order: the block's barriers and the launch, warps by
    // the number of their first thread, and the block before.
    std::vector<char> points_;
};

}  // namespace moesim::shim
