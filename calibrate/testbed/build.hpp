#pragma once
// Building what a plan says, and removing it.
#include <functional>

#include "calibrate/testbed/state_folder.hpp"

namespace moesim::testbed {

// What building and removing ask of the machine besides running commands.
class Machine : public CommandRunner {
  public:
    [[nodiscard]] virtual bool exists(const std::string& path) const = 0;
    virtual void wait_a_little() = 0;  // for the kernel to finish what it does behind a command's back
};

class ThisMachine final : public Machine {
  public:
    std::string run(const Command& command) override { return runner_.run(command); }
    [[nodiscard]] bool exists(const std::string& path) const override;
    void wait_a_little() override;

  private:
    SystemRunner runner_;
};

// Runs all steps. What each makes is written down in the folder before. `before_each` may throw, to stop between two.
// Nothing is undone here: whoever catches calls remove(). Throws InputError where something has a name that is needed
// and the folder does not know it; that is not touched.
void build(const Plan& plan, const StateFolder& folder, Machine& machine, const std::function<void()>& before_each);

// Ends the processes in the namespaces that the folder has written down, removes these, the newest first, and then the
// folder. What is not there any more, or never was, is passed over. Throws Error, the folder staying, where something
// is left.
void remove(const StateFolder& folder, Machine& machine);

}  // namespace moesim::testbed
