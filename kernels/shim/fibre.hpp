#pragma once
// A stack of its own that runs one piece of work after another, and can be left in the middle of each.
#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstddef>
#include <string>

namespace moesim::shim {

class Fibre {
  public:
    explicit Fibre(const std::string& name);
    ~Fibre();
    Fibre(const Fibre&) = delete;
    Fibre& operator=(const Fibre&) = delete;

    // From outside: runs work(argument), which must not throw, up to its first suspend() or its end; resume() goes on
    // from there.
    void start(void (*work)(void*), void* argument);
    void resume();
    // From inside.
    void suspend();

  private:
    friend class InTheNameOf;
    boost::context::fiber loop(boost::context::fiber&& outside);
    void tell_leaving(void** fake_stack);

    boost::context::protected_fixedsize_stack stacks_;
    boost::context::stack_context stack_;
    boost::context::fiber inside_, outside_;
    void (*work_)(void*) = nullptr;  // null: it is to end
    void* argument_ = nullptr;
    void* record_ = nullptr;  // the thread sanitizer's, of this fibre and of who resumed it
    void* outside_record_ = nullptr;
    const void* outside_bottom_ = nullptr;
    std::size_t outside_size_ = 0;
};

// While it lives, the thread sanitizer takes what the caller does for this fibre's doing. Nothing without that
// sanitizer.
class InTheNameOf {
  public:
    explicit InTheNameOf(const Fibre& fibre);
    ~InTheNameOf();
    InTheNameOf(const InTheNameOf&) = delete;
    InTheNameOf& operator=(const InTheNameOf&) = delete;

  private:
    void* caller_ = nullptr;
};

}  // namespace moesim::shim
