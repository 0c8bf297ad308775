#include "calibrate/testbed/command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace moesim::testbed {
namespace {

// A file without a name: input and outputs of any length without two processes waiting for each other.
class NamelessFile {
  public:
    NamelessFile() : fd_(memfd_create("moesim", MFD_CLOEXEC)) {
        if (fd_ < 0) throw CommandFailed(fmt::format("found no room for a file in memory: {}", std::strerror(errno)));
    }
    ~NamelessFile() { close(fd_); }
    NamelessFile(const NamelessFile&) = delete;
    NamelessFile& operator=(const NamelessFile&) = delete;
    [[nodiscard]] int fd() const { return fd_; }
    void write(const std::string& text) const {
        for (std::size_t at = 0; at < text.size();) {
            const ssize_t n = ::write(fd_, text.data() + at, text.size() - at);
            if (n < 0) throw CommandFailed(fmt::format("a file in memory: {}", std::strerror(errno)));
            at += static_cast<std::size_t>(n);
        }
        lseek(fd_, 0, SEEK_SET);
    }
    [[nodiscard]] std::string text() const {
        std::string all;
        std::array<char, 65536> buffer{};
        lseek(fd_, 0, SEEK_SET);
        for (ssize_t n = 0; (n = read(fd_, buffer.data(), buffer.size())) > 0;)
            all.append(buffer.data(), static_cast<std::size_t>(n));
        return all;
    }

  private:
    int fd_;
};

std::string without_end_of_line(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

pid_t spawn(const Command& command, const NamelessFile& in, const NamelessFile& out, const NamelessFile& err) {
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in.fd(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out.fd(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, err.fd(), STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> argv;
    for (const std::string& a : command.argv) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    pid_t child = -1;
    const int failed = posix_spawnp(&child, argv[0], &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0)
        throw CommandFailed(fmt::format("{}: {}; scripts/install-packages testbed installs what a testbed needs",
                                        command.argv[0], std::strerror(failed)));
    return child;
}

}  // namespace

std::string to_text(const Command& command) {
    std::string line;
    for (const std::string& a : command.argv) {
        const bool plain = !a.empty() && a.find_first_of(" \t\n\"'$\\;&|<>*?()#") == a.npos;
        line += fmt::format("{}{}", line.empty() ? "" : " ", plain ? a : fmt::format("'{}'", a));
    }
    return line;
}

std::string SystemRunner::run(const Command& command) {
    const NamelessFile in, out, err;
    in.write(command.input);
    const pid_t child = spawn(command, in, out, err);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return out.text();
    const std::string said = without_end_of_line(err.text());
    throw CommandFailed(fmt::format("{}: {}", to_text(command),
                                    !said.empty()         ? said
                                    : WIFSIGNALED(status) ? fmt::format("ended by signal {}", WTERMSIG(status))
                                                          : fmt::format("ended with {}", WEXITSTATUS(status))));
}

}  // namespace moesim::testbed
