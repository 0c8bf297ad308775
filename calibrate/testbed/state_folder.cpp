#include "calibrate/testbed/state_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/error.hpp"

namespace moesim::testbed {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 3> kind_names = {"netns", "cgroup", "setting"};  // as Made::Kind has them

}  // namespace

void check_name(const std::string& name) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    if (name.empty() || name.size() > 24 || name.front() == '-' || !std::all_of(name.begin(), name.end(), allowed))
        throw InputError(fmt::format(
            "--name: found \"{}\", expected at most 24 small letters, digits and hyphens, no hyphen first", name));
}

StateFolder StateFolder::make(const fs::path& root, const std::string& name) {
    check_name(name);
    const fs::path path = root / name;
    std::error_code failed;
    fs::create_directories(root, failed);
    if (failed) throw InputError(fmt::format("{}: cannot be made: {}", root.string(), failed.message()));
    // Whoever makes the folder has the name: of two at the same time one fails here.
    if (mkdir(path.c_str(), 0755) != 0) {
        if (errno == EEXIST)
            throw InputError(
                fmt::format("{}: found a testbed of that name, expected none; moesim testbed down --name {} "
                            "removes it",
                            path.string(), name));
        throw InputError(fmt::format("{}: cannot be made: {}", path.string(), std::strerror(errno)));
    }
    return open(root, name);
}

StateFolder StateFolder::open(const fs::path& root, const std::string& name, int patience) {
    check_name(name);
    const fs::path path = root / name;
    // Inherited by the commands that are run: what a killed process had begun ends before another one looks.
    const int lock = ::open(path.c_str(), O_RDONLY | O_DIRECTORY);
    if (lock < 0)
        throw InputError(
            fmt::format("{}: found no testbed of that name, expected one that moesim testbed up made", path.string()));
    StateFolder folder(path, lock);
    for (int i = 0; flock(lock, LOCK_EX | LOCK_NB) != 0; ++i) {
        if (i == patience)
            throw InputError(fmt::format("{}: found another process that builds or removes this testbed, expected none",
                                         path.string()));
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return folder;
}

std::vector<std::string> StateFolder::names(const fs::path& root) {
    std::vector<std::string> all;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(root, failed)) all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
}

StateFolder::StateFolder(StateFolder&& other) noexcept : path_(std::move(other.path_)), lock_(other.lock_) {
    other.lock_ = -1;
}

StateFolder::~StateFolder() {
    if (lock_ >= 0) close(lock_);
}

void StateFolder::write_down(const Made& made) const {
    std::ofstream out(path_ / "made", std::ios::app);
    out << kind_names.at(static_cast<std::size_t>(made.kind)) << ' ' << made.name << std::endl;
    if (!out) throw InputError(fmt::format("{}: cannot be written", (path_ / "made").string()));
}

std::vector<Made> StateFolder::made() const {
    std::vector<Made> all;
    std::ifstream in(path_ / "made");
    for (std::string kind, name; in >> kind >> name;)
        for (std::size_t k = 0; k < kind_names.size(); ++k)
            if (kind == kind_names.at(k)) all.push_back({static_cast<Made::Kind>(k), name});
    return all;
}

void StateFolder::remove() const {
    std::error_code failed;
    fs::remove_all(path_, failed);
    if (failed) throw InputError(fmt::format("{}: cannot be removed: {}", path_.string(), failed.message()));
    fs::remove(path_.parent_path(), failed);  // fails where there are other testbeds, which is right
}

}  // namespace moesim::testbed
