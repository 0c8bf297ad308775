#include "kernels/shim/block.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <utility>

#include "kernels/shim/sanitizers.hpp"
#include "kernels/shim/warp.hpp"

namespace moesim::shim {
namespace {

using State = Running::State;

// Thrown where a thread of an abandoned launch would go on.
struct Abandoned {};

Running& running_here() { return static_cast<Running&>(self()); }

// Leaves the thread until the scheduler lets it go on.
void wait(Running& thread) {
    thread.fibre.suspend();
    if (thread.abandoned) throw Abandoned{};
}

// What a thread's fibre does. The error outlives the fibre's handler: no fibre is ever left inside of one, as handlers
// are kept by OS thread.
void live(void* argument) {
    auto& thread = *static_cast<Running*>(argument);
    try {
        thread.launch->call(thread.launch->closure);
    } catch (const Abandoned&) {
    } catch (...) {
        thread.error = std::current_exception();
    }
    thread.state = State::ended;
}

std::string in_hex(std::uint32_t mask) {
    std::array<char, 11> text{};
    std::snprintf(text.data(), text.size(), "0x%08x", mask);
    return text.data();
}

std::string to_string(const Site& site) {
    const std::string_view file = site.file;
    return std::string(file.substr(file.find_last_of('/') + 1)) + ':' + std::to_string(site.line);
}

// To the thread sanitizer: what each of the threads has done is seen from now on by all of them.
void order(const std::vector<const Running*>& threads, char& point) {
    for (const Running* thread : threads) {
        const InTheNameOf it(thread->fibre);
        __tsan_release(&point);
    }
    for (const Running* thread : threads) {
        const InTheNameOf it(thread->fibre);
        __tsan_acquire(&point);
    }
}

}  // namespace

void Running::run() {
    running = this;
    if (std::exchange(begun, true))
        fibre.resume();
    else
        fibre.start(live, this);
    running = nullptr;
}

void Block::prepare(unsigned threads) {
    points_.resize(1024 + 2);
    while (running_.size() < threads) {
        const std::string name =
            "CUDA thread " + std::to_string(running_.size()) + " of block slot " + std::to_string(number_);
        running_.push_back(std::make_unique<Running>(*this, name));
    }
}

void Block::begin(const Launch& launch, const Index& index, unsigned char pattern) {
    index_ = index;
    kernel_ = launch.kernel;
    dynamic_bytes_ = launch.shape.shared_bytes;
    threads_ = ready_ = static_cast<unsigned>(launch.shape.block.count());
    at_meeting_ = ended_ = 0;
    shared_.begin(dynamic_bytes_, pattern);
    const Dim& dim = launch.shape.block;
    for (unsigned n = 0; n < threads_; ++n) {
        Running& t = *running_[n];
        t.thread_idx = {n % dim.x, n / dim.x % dim.y, n / (dim.x * dim.y)};
        t.block_idx = index;
        t.block_dim = dim;
        t.grid_dim = launch.shape.grid;
        t.number = n;
        t.lane = n % warp_size;
        t.warp_lanes = 0xffffffffU >> (warp_size - std::min(warp_size, threads_ - (n - t.lane)));
        t.atomics = 0;
        t.kernel = launch.kernel;
        t.launch = &launch;
        t.state = State::ready;
        t.begun = t.abandoned = false;
        t.error = nullptr;
    }
    warps_.assign((threads_ + warp_size - 1) / warp_size, {});
    for (unsigned n = 0; n < threads_; n += warp_size) warps_[n / warp_size].ended = ~running_[n]->warp_lanes;
    // The memory of the slot's last block is this one's now.
    order_all(points_.back());
}

void Block::order_all(char& point) const {
    if (!thread_sanitizer()) return;
    std::vector<const Running*> all;
    for (const auto& t : running_) all.push_back(t.get());
    order(all, point);
}

void Block::settle(Running& thread, std::vector<Running*>& ready) {
    if (thread.error) std::rethrow_exception(std::exchange(thread.error, nullptr));
    --ready_;
    switch (thread.state) {
        case State::ready: release(thread, ready); break;
        case State::at_block_meeting:
            ++at_meeting_;
            meet(thread, ready);
            break;
        case State::at_warp_meeting:
            warp_of(thread).waiting |= 1U << thread.lane;
            try_warp(thread, ready);
            break;
        case State::ended:
            ++ended_;
            warp_of(thread).ended |= 1U << thread.lane;
            // Others of its warp may have waited for nobody but it.
            for_each_lane(warp_of(thread).waiting, [&](unsigned l) {
                if (const Running* other = lane(thread, l); other->state == State::at_warp_meeting)
                    try_warp(*other, ready);
            });
            break;
    }
    if (ready_ == 0 && !done()) stuck();
}

void Block::release(Running& thread, std::vector<Running*>& ready) {
    thread.state = State::ready;
    ++ready_;
    ready.push_back(&thread);
}

// The last thread to come lets all go on.
void Block::meet(Running& thread, std::vector<Running*>& ready) {
    if (at_meeting_ < threads_) return;
    unsigned with_predicate = 0;
    for (unsigned n = 0; n < threads_; ++n) {
        const Running& t = *running_[n];
        if (t.block_meeting != thread.block_meeting || !(t.site == thread.site)) stuck();
        with_predicate += t.value != 0 ? 1 : 0;
    }
    order_all(points_.front());
    at_meeting_ = 0;
    for (unsigned n = 0; n < threads_; ++n) {
        running_[n]->result = static_cast<std::uint64_t>(thread.block_meeting->result(threads_, with_predicate));
        release(*running_[n], ready);
    }
}

Running* Block::lane(const Running& of_warp, unsigned lane) const {
    return running_[of_warp.number - of_warp.lane + lane].get();
}

// Lets all lanes go on that the thread's mask names, once they are there.
void Block::try_warp(const Running& thread, std::vector<Running*>& ready) {
    const WarpMeeting& meeting = *thread.warp_meeting;
    Warp& warp = warp_of(thread);
    if (meeting.needs_all && (thread.mask & warp.ended) != 0) return;  // nor will they ever come
    Lanes lanes;
    lanes.mask = thread.mask & ~warp.ended;
    if ((lanes.mask & ~warp.waiting) != 0) return;
    bool all = true;
    for_each_lane(lanes.mask, [&](unsigned l) {
        const Running& t = *lane(thread, l);
        all = all && t.warp_meeting == &meeting && t.mask == thread.mask;
        lanes.value[l] = t.value;
        lanes.source[l] = t.source;
    });
    if (!all) return;
    lanes.result.fill(0);
    meeting.complete(lanes);
    warp.waiting &= ~lanes.mask;
    for_each_lane(lanes.mask, [&](unsigned l) {
        Running& t = *lane(thread, l);
        t.result = lanes.result[l];
        release(t, ready);
    });
    if (!meeting.orders_memory || !thread_sanitizer()) return;
    std::vector<const Running*> met;
    for_each_lane(lanes.mask, [&](unsigned l) { met.push_back(lane(thread, l)); });
    order(met, points_[1 + met.front()->number]);  // groups that meet at the same time begin with different lanes
}

std::string Block::doing(const Running& thread) const {
    std::string text = "thread " + to_string(thread.thread_idx);
    switch (thread.state) {
        case State::ready: return text + " runs";
        case State::ended: return text + " has ended";
        case State::at_block_meeting:
            return text + " waits in " + thread.block_meeting->name + " at " + to_string(thread.site);
        case State::at_warp_meeting:
            return text + " waits in " + thread.warp_meeting->name + " at " + to_string(thread.site) + " with mask " +
                   in_hex(thread.mask);
    }
    return text;
}

void Block::stuck() const {
    const auto first = [&](auto&& is) -> const Running* {
        for (unsigned n = 0; n < threads_; ++n)
            if (is(*running_[n])) return running_[n].get();
        return nullptr;
    };
    const auto where = [&](const Running& thread) { return Where{kernel_, index_, thread.thread_idx}; };
    const auto story = [&](const Running& thread, const Running* other) {
        return doing(thread) + ", but " + (other == nullptr ? "nobody comes" : doing(*other));
    };
    // A warp's call comes first: where lanes wait in one for others at a barrier, the mask is what is wrong more often.
    if (const Running* thread = first([](const Running& t) { return t.state == State::at_warp_meeting; })) {
        const Running* other = nullptr;
        for_each_lane(thread->mask & thread->warp_lanes, [&](unsigned l) {
            const Running* t = lane(*thread, l);
            const bool meets = t->state == State::at_warp_meeting && t->warp_meeting == thread->warp_meeting &&
                               t->mask == thread->mask;
            if (!meets && other == nullptr) other = t;
        });
        throw WarpFault(where(*thread), story(*thread, other));
    }
    const Running* thread = first([](const Running& t) { return t.state == State::at_block_meeting; });
    const Running* other = first([&](const Running& t) {
        return t.state != State::at_block_meeting || t.block_meeting != thread->block_meeting ||
               !(t.site == thread->site);
    });
    throw DivergentBarrier(where(*thread), story(*thread, other));
}

void Block::check() const {
    if (const std::string beside = shared_.overrun(); !beside.empty())
        throw SharedMemoryFault(Where{kernel_, index_, {}}, "writes beside " + beside);
}

void Block::abandon() {
    for (unsigned n = 0; n < threads_; ++n) {
        Running& t = *running_[n];
        if (t.begun && t.state != State::ended) {
            t.abandoned = true;
            t.run();
        }
        t.state = State::ended;
    }
    ended_ = threads_;
}

void Block::after_caller() {
    if (!thread_sanitizer()) return;
    __tsan_release(&points_.front());
    for (const auto& t : running_) {
        const InTheNameOf it(t->fibre);
        __tsan_acquire(&points_.front());
    }
}

void Block::before_caller() {
    if (!thread_sanitizer()) return;
    for (const auto& t : running_) {
        const InTheNameOf it(t->fibre);
        __tsan_release(&points_.front());
    }
    __tsan_acquire(&points_.front());
}

// Called by kernels.

int meet_block(const BlockMeeting& meeting, bool predicate, const Site& site) {
    Running& thread = running_here();
    thread.state = State::at_block_meeting;
    thread.block_meeting = &meeting;
    thread.site = site;
    thread.value = predicate ? 1 : 0;
    wait(thread);
    return static_cast<int>(thread.result);
}

std::uint64_t meet_warp(const WarpMeeting& meeting, std::uint32_t mask, std::uint64_t value, std::uint32_t source,
                        const Site& site) {
    Running& thread = running_here();
    const auto wrong = [&](const std::string& why) {
        throw WarpFault(
            here(), std::string(meeting.name) + " at " + to_string(site) + " with mask " + in_hex(mask) + ", " + why);
    };
    if ((mask >> thread.lane & 1U) == 0) wrong("which does not name the caller's own lane");
    if (meeting.needs_all && (mask & ~thread.warp_lanes) != 0) wrong("which names lanes that this warp does not have");
    thread.state = State::at_warp_meeting;
    thread.warp_meeting = &meeting;
    thread.site = site;
    thread.mask = mask;
    thread.value = value;
    thread.source = source;
    wait(thread);
    return thread.result;
}

std::uint32_t checked_source(const char* name, std::uint32_t mask, std::uint32_t source) {
    if ((mask >> source & 1U) == 0)
        throw WarpFault(here(), std::string(name) + " reads lane " + std::to_string(source) + ", which its mask " +
                                    in_hex(mask) + " does not name");
    return source;
}

std::uint32_t segment_begin(const char* name, int width) {
    if (width <= 0 || width > static_cast<int>(warp_size) || !std::has_single_bit(static_cast<unsigned>(width)))
        throw WarpFault(
            here(), std::string(name) + " with width " + std::to_string(width) + ", which is no power of two up to 32");
    return self().lane & ~static_cast<unsigned>(width - 1);
}

void pass() {
    if (running != nullptr) wait(running_here());
}

void* shared_variable(const void* key, std::size_t bytes, std::size_t alignment, const char* name) {
    void* const memory = running_here().block.shared().variable(key, bytes, alignment, name);
    if (memory == nullptr)
        throw SharedMemoryFault(here(), std::string(name) + " of " + std::to_string(bytes) +
                                            " bytes: a block has no more than " + std::to_string(largest_shared_bytes) +
                                            " in all");
    return memory;
}

void* dynamic_shared() { return running_here().block.shared().dynamic(); }

}  // namespace moesim::shim
