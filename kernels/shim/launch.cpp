// The scheduler: which thread runs next.
#include "kernels/shim/launch.hpp"

#include <numeric>
#include <utility>

#include "base/random.hpp"
#include "kernels/shim/block.hpp"
#include "kernels/shim/sanitizers.hpp"

namespace moesim::shim {
namespace {

thread_local std::uint64_t seed = 0;
thread_local RandomStream draws(0, 0);

// Two blocks run side by side, each on threads of its own, so that nothing between two blocks looks ordered by chance.
constexpr unsigned side_by_side = 2;

struct Device {
    Block blocks[side_by_side] = {Block(0), Block(1)};
};

// A device for each OS thread: launches of several do not meet. The fibres are kept, as making one takes far longer
// than running it.
Device& device() {
    thread_local Device it;
    return it;
}

[[noreturn]] void refuse(std::string_view kernel, const std::string& why) {
    throw LaunchFault({}, "launch of " + std::string(kernel) + ": " + why);
}

// CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
void check(const Shape& shape, std::string_view kernel) {
    if (running != nullptr) refuse(kernel, "from inside of a kernel");
    const auto text = [](const Dim& d) { return to_string(static_cast<const Index&>(d)); };
    if (shape.grid.count() == 0 || shape.grid.x > 0x7fffffffU || shape.grid.y > 65535 || shape.grid.z > 65535)
        refuse(kernel, "a grid of " + text(shape.grid) + " blocks");
    if (shape.block.count() == 0 || shape.block.count() > 1024 || shape.block.x > 1024 || shape.block.y > 1024 ||
        shape.block.z > 64)
        refuse(kernel, "a block of " + text(shape.block) + " threads");
    if (shape.shared_bytes > largest_shared_bytes)
        refuse(kernel, std::to_string(shape.shared_bytes) + " bytes of shared memory, of at most " +
                           std::to_string(largest_shared_bytes));
}

// All blocks of a grid, in the order in which they begin.
class Blocks {
  public:
    explicit Blocks(const Dim& grid) : grid_(grid), order_(seed == 0 ? 0 : grid.count()) {
        std::iota(order_.begin(), order_.end(), std::uint32_t{0});
        for (std::size_t n = order_.size(); n > 1; --n)
            std::swap(order_[n - 1], order_[draws.below(static_cast<std::uint32_t>(n))]);
    }
    [[nodiscard]] bool left() const { return next_ < grid_.count(); }
    Index take() {
        const std::uint64_t n = order_.empty() ? next_ : order_[next_];
        ++next_;
        return {static_cast<unsigned>(n % grid_.x), static_cast<unsigned>(n / grid_.x % grid_.y),
                static_cast<unsigned>(n / grid_.x / grid_.y)};
    }

  private:
    Dim grid_;
    std::vector<std::uint32_t> order_;
    std::uint64_t next_ = 0;
};

void run_all(const Launch& launch, Device& on) {
    // NaN in every format of floating point, and -1; or large numbers, as a maximum overlooks a NaN.
    const unsigned char pattern = seed % 2 == 0 ? 0xff : 0x7b;
    Blocks blocks(launch.shape.grid);
    std::deque<Running*> ready;
    std::vector<Running*> released;
    const auto begin = [&](Block& block) {
        if (!blocks.left()) return;
        block.begin(launch, blocks.take(), pattern);
        for (unsigned n = 0; n < block.threads(); ++n) ready.push_back(&block.thread(n));
    };
    for (Block& block : on.blocks) begin(block);
    while (!ready.empty()) {
        if (seed != 0) std::swap(ready.front(), ready[draws.below(static_cast<std::uint32_t>(ready.size()))]);
        Running& thread = *ready.front();
        ready.pop_front();
        thread.run();
        released.clear();
        thread.block.settle(thread, released);
        ready.insert(ready.end(), released.begin(), released.end());
        if (thread.block.done()) {
            thread.block.check();
            begin(thread.block);
        }
    }
}

}  // namespace

Schedule::Schedule(std::uint64_t number) : before_(std::exchange(seed, number)) { draws = RandomStream(number, 0); }
Schedule::~Schedule() { seed = before_; }

void run(const Shape& shape, std::string_view kernel, void (*call)(const void*), const void* closure) {
    check(shape, kernel);
    Device& on = device();
    for (Block& block : on.blocks) block.prepare(static_cast<unsigned>(shape.block.count()));
    for (Block& block : on.blocks) block.after_caller();
    const Launch launch{shape, kernel, call, closure};
    std::exception_ptr error;
    try {
        run_all(launch, on);
    } catch (...) {
        error = std::current_exception();
    }
    if (error)
        for (Block& block : on.blocks) block.abandon();
    for (Block& block : on.blocks) block.before_caller();
    if (error) std::rethrow_exception(error);
}

void outside_of_a_launch() { throw LaunchFault({}, "device code is called outside of a launch"); }

std::optional<Where> here() {
    if (running == nullptr) return {};
    return Where{std::string(running->kernel), running->block_idx, running->thread_idx};
}

void before_atomic() {
    // In the fixed order a thread that tries again and again has to let others run at some time.
    constexpr unsigned at_last = 64, sometimes = 4;
    if (running == nullptr) return;
    if (seed == 0 ? ++running->atomics % at_last == 0 : draws.below(sometimes) == 0) pass();
}

void fence() {
    // Every fence is ordered with every other: more than CUDA's promise, as the sanitizer sees only one order.
    static char point = 0;
    if (thread_sanitizer()) {
        __tsan_acquire(&point);
        __tsan_release(&point);
    }
    pass();
}

void check_alignment(const void* address, std::size_t alignment) {
    const auto beyond = reinterpret_cast<std::uintptr_t>(address) % alignment;
    if (beyond != 0)
        throw MisalignedAccess(here(), "an address " + std::to_string(beyond) + " bytes beyond a multiple of the " +
                                           std::to_string(alignment) + " that the access needs");
}

}  // namespace moesim::shim
