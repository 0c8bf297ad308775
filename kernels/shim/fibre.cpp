#include "kernels/shim/fibre.hpp"

#include <utility>

#include "kernels/shim/sanitizers.hpp"

namespace moesim::shim {

namespace context = boost::context;

namespace {

// Switching orders nothing: each fibre stands for a thread of its own.
constexpr unsigned no_ordering = 1;  // __tsan_switch_to_fiber_no_sync

// The sanitizers' reports are written on the stack of the fibre at fault, and need most of it; what is not touched
// costs nothing but addresses.
constexpr std::size_t stack_bytes = std::size_t{256} * 1024;

}  // namespace

Fibre::Fibre(const std::string& name) : stacks_(stack_bytes), stack_(stacks_.allocate()) {
    if (thread_sanitizer()) {
        record_ = __tsan_create_fiber(0);
        __tsan_set_fiber_name(record_, name.c_str());
    }
    inside_ = context::fiber(std::allocator_arg, context::preallocated(stack_.sp, stack_.size, stack_), stacks_,
                             [this](context::fiber&& outside) { return loop(std::move(outside)); });
}

Fibre::~Fibre() {
    work_ = nullptr;
    resume();
    if (record_ != nullptr) __tsan_destroy_fiber(record_);
}

void Fibre::start(void (*work)(void*), void* argument) {
    work_ = work;
    argument_ = argument;
    resume();
}

void Fibre::resume() {
    void* fake_stack = nullptr;
    if (address_sanitizer())
        __sanitizer_start_switch_fiber(&fake_stack, static_cast<char*>(stack_.sp) - stack_.size, stack_.size);
    if (thread_sanitizer()) {
        outside_record_ = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(record_, no_ordering);
    }
    inside_ = std::move(inside_).resume();
    if (address_sanitizer()) __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
}

// fake_stack null: the fibre does not come back.
void Fibre::tell_leaving(void** fake_stack) {
    if (address_sanitizer()) __sanitizer_start_switch_fiber(fake_stack, outside_bottom_, outside_size_);
    if (thread_sanitizer()) __tsan_switch_to_fiber(outside_record_, no_ordering);
}

void Fibre::suspend() {
    void* fake_stack = nullptr;
    tell_leaving(&fake_stack);
    outside_ = std::move(outside_).resume();
    if (address_sanitizer()) __sanitizer_finish_switch_fiber(fake_stack, &outside_bottom_, &outside_size_);
}

context::fiber Fibre::loop(context::fiber&& outside) {
    outside_ = std::move(outside);
    if (address_sanitizer()) __sanitizer_finish_switch_fiber(nullptr, &outside_bottom_, &outside_size_);
    while (work_ != nullptr) {
        work_(argument_);
        suspend();
    }
    tell_leaving(nullptr);
    return std::move(outside_);
}

InTheNameOf::InTheNameOf(const Fibre& fibre) {
    if (!thread_sanitizer()) return;
    caller_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fibre.record_, no_ordering);
}

InTheNameOf::~InTheNameOf() {
    if (thread_sanitizer()) __tsan_switch_to_fiber(caller_, no_ordering);
}

}  // namespace moesim::shim
