#include "support/program.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace moesim::test {
namespace {

namespace fs = std::filesystem;

std::string read_all(int fd) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t n = 0; (n = ::read(fd, buffer.data(), buffer.size())) > 0;)
        text.append(buffer.data(), static_cast<std::size_t>(n));
    ::close(fd);
    return text;
}

// From the next exec on, root may open only what the file's own rights let it. Becoming another user would do that
// too, but such a user may be unable to reach the program, its libraries, or even the root folder.
bool give_up_override() {
    if (::geteuid() != 0) return true;
    return ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) == 0 && ::prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH) == 0;
}

// In the child: becomes the program, or ends with 127.
[[noreturn]] void become_program(std::vector<char*> arguments, const Conditions& c, int out, int err) {
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    if (c.out == Stdout::full) ::dup2(::open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    if (c.out == Stdout::closed) ::close(STDOUT_FILENO);
    if (c.err_closed) ::close(STDERR_FILENO);
    if (c.largest_file >= 0) {
        const rlimit limit{static_cast<rlim_t>(c.largest_file), static_cast<rlim_t>(c.largest_file)};
        if (std::signal(SIGXFSZ, SIG_IGN) == SIG_ERR || ::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(127);
    }
    if (c.unprivileged && !give_up_override()) ::_exit(127);
    if (!c.temporary.empty()) ::setenv("TMPDIR", c.temporary.c_str(), 1);
    ::execve(MOESIM_PROGRAM, arguments.data(), environ);
    ::_exit(127);
}

void send_when_begun(pid_t child, const Conditions& c) {
    const auto runs = [&] {
        siginfo_t ended{};
        return ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0;
    };
    while (fs::is_empty(c.temporary) && runs()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ::kill(child, c.signal);
}

}  // namespace

Folder::Folder() {
    std::string name = (fs::temp_directory_path() / "moesim-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot create a temporary folder");
    path_ = name;
    fs::permissions(path_, fs::perms(0755));
}

Folder::~Folder() {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(path_, error))
        if (entry.is_directory(error)) fs::permissions(entry.path(), fs::perms(0755), error);
    fs::remove_all(path_, error);
}

fs::path Folder::write(const std::string& name, std::string_view content) const {
    const fs::path file = path_ / name;
    std::ofstream(file, std::ios::binary) << content;
    return file;
}

std::vector<std::string> Folder::names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(path_))
        all.push_back(entry.path().lexically_relative(path_).string());
    std::sort(all.begin(), all.end());
    return all;
}

Ended run_process(const std::vector<std::string>& arguments, const Conditions& conditions) {
    std::vector<std::string> words{"moesim"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& w : words) pointers.push_back(w.data());
    pointers.push_back(nullptr);
    std::array<int, 2> out{}, err{};
    if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("no child process");
    if (child == 0) become_program(std::move(pointers), conditions, out[1], err[1]);
    ::close(out[1]);
    ::close(err[1]);
    Ended ended;
    if (conditions.signal != 0) send_when_begun(child, conditions);
    ended.out = read_all(out[0]);
    ended.err = read_all(err[0]);  // short: it never fills the pipe while stdout is read
    int status = 0;
    ::waitpid(child, &status, 0);
    ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ended;
}

std::string slurp(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

}  // namespace moesim::test
