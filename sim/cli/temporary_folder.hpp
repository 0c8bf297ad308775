#pragma once
#include <csignal>
#include <string>
#include <thread>

namespace moesim {

// A folder of its own below the system's folder for such, which goes away, with all that is in it, with its owner, and
// also where SIGINT, SIGTERM or SIGHUP end the process meanwhile. Of one at a time, made before other threads are,
// since those have to leave these signals to it.
class TemporaryFolder {
  public:
    // Throws InputError where it cannot be made.
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    void wait_for_signals() const;

    std::string path_;
    sigset_t signals_{}, mask_before_{};
    int done_ = -1;  // an eventfd: written to when the owner goes
    std::thread watcher_;
};

}  // namespace moesim
