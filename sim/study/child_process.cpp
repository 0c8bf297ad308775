#include "study/child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/error.hpp"

namespace moesim {
namespace {

constexpr int not_started = 127;  // what a shell gives, too

class OutputFile {
  public:
    explicit OutputFile(const std::string& path)
        : descriptor_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
        if (descriptor_ < 0) throw InputError(path + ": cannot be written");
    }
    ~OutputFile() { close(descriptor_); }
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    [[nodiscard]] int descriptor() const { return descriptor_; }

  private:
    int descriptor_;
};

// What the child does until it is another program: only calls that are safe in the copy of a process with many threads.
[[noreturn]] void become(char* const* arguments, int out, int err, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0)
        execv(arguments[0], arguments);
    _exit(not_started);
}

}  // namespace

int run_child(const std::vector<std::string>& command, const std::string& out, const std::string& err) {
    const OutputFile out_file(out), err_file(err);
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
    arguments.push_back(nullptr);
    const pid_t self = getpid();
    const pid_t child = fork();
    if (child == 0) become(arguments.data(), out_file.descriptor(), err_file.descriptor(), self);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || (WIFEXITED(status) && WEXITSTATUS(status) == not_started))
        throw InternalError("cannot start " + command[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace moesim
