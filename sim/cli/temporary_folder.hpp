#pragma once
#include <string>

namespace moesim {

// A folder of its own below the system's folder for such, which goes away, with all that is in it, with its owner.
class TemporaryFolder {
  public:
    // Throws InputError where it cannot be made.
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace moesim
