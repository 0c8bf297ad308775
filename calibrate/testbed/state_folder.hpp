#pragma once
// A testbed's folder: what exists of it, written down before it is made, so that it can be removed whatever happened.
#include <filesystem>
#include <string>
#include <vector>

#include "calibrate/testbed/plan.hpp"

namespace moesim::testbed {

inline constexpr const char* default_root = "/run/moesim-testbed";

// Letters, digits and single hyphens, at most 24. Throws InputError.
void check_name(const std::string& name);

// ROOT/NAME. While one is held no other process can hold it, and a process that dies lets go of it.
class StateFolder {
  public:
    // Makes it. Throws InputError where it is there already, or cannot be made.
    static StateFolder make(const std::filesystem::path& root, const std::string& name);
    // Of a testbed that is there, whole or not. Throws InputError where none is, or another process builds or removes
    // it, also after `patience` times 10 ms: commands of a process that was killed may wait for a busy machine's
    // kernel.
    static StateFolder open(const std::filesystem::path& root, const std::string& name, int patience = 500);
    // Names of those in `root`, in order.
    static std::vector<std::string> names(const std::filesystem::path& root);

    ~StateFolder();
    StateFolder(StateFolder&& other) noexcept;
    StateFolder(const StateFolder&) = delete;
    StateFolder& operator=(const StateFolder&) = delete;
    StateFolder& operator=(StateFolder&&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    void write_down(const Made& made) const;
    [[nodiscard]] std::vector<Made> made() const;  // in the order in which it was written down
    void remove() const;                           // with all that it holds, and its root where that is empty then

  private:
    StateFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

    std::filesystem::path path_;
    int lock_ = -1;
};

}  // namespace moesim::testbed
