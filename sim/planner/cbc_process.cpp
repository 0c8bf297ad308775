#include "planner/cbc_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <exception>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "planner/stopwatch.hpp"

namespace moesim {
namespace {

enum class Kind : char { answer, error };

struct Header {
    Kind kind = Kind::answer;
    bool no_solution = false, optimal = false;
    bool last = false;  // nothing comes after it
    double value = 0, bound = 0;
    std::size_t bytes = 0;  // of what follows: x, or a message
};

// False where nobody listens any more.
bool write_all(int to, const void* from, std::size_t bytes) {
    const auto* next = static_cast<const char*>(from);
    while (bytes > 0) {
        const ssize_t n = write(to, next, bytes);
        if (n <= 0) return false;
        next += n;
        bytes -= static_cast<std::size_t>(n);
    }
    return true;
}

void send(int to, const Header& header, const void* content) {
    if (write_all(to, &header, sizeof header)) write_all(to, content, header.bytes);
}

void send(int to, const CbcAnswer& a, bool last) {
    const Solution& s = a.solution;
    send(to, {Kind::answer, a.no_solution, s.optimal, last, s.value, s.bound, s.x.size() * sizeof(double)}, s.x.data());
}

[[noreturn]] void work_in_copy(int to, const IntegerProgram& program, const SolveOptions& options) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (const int s : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) std::signal(s, SIG_DFL);
    try {
        send(to, run_cbc(program, options, [to](const CbcAnswer& first) { send(to, first, false); }), true);
    } catch (const std::exception& e) {
        send(to, {Kind::error, false, false, true, 0, 0, std::strlen(e.what())}, e.what());
    }
    _exit(0);
}

// What the copy sends until it ends, or the time is over.
std::string received(int from, double seconds) {
    const Stopwatch watch;
    std::string all;
    std::array<char, 65536> part{};
    while (true) {
        const double left = seconds - watch.elapsed().value();
        const int wait = left > 1e6 ? -1 : static_cast<int>(left * 1000) + 1;
        pollfd waited{from, POLLIN, 0};
        if (left <= 0 || poll(&waited, 1, wait) == 0) return all;
        const ssize_t n = read(from, part.data(), part.size());
        if (n <= 0) return all;
        all.append(part.data(), static_cast<std::size_t>(n));
    }
}

struct Received {
    CbcAnswer answer;
    bool last = false;
};

// The last whole answer among what was sent; before any, that nothing is known. Throws InternalError with the copy's
// own message where it sent one.
Received last_answer(std::string_view sent) {
    Received r;
    CbcAnswer& answer = r.answer;
    answer.solution.value = IntegerProgram::infinity;
    answer.solution.bound = -IntegerProgram::infinity;
    Header header;
    while (sent.size() >= sizeof header) {
        std::memcpy(&header, sent.data(), sizeof header);
        sent.remove_prefix(sizeof header);
        if (sent.size() < header.bytes) break;
        if (header.kind == Kind::error) throw InternalError("CBC: " + std::string(sent.substr(0, header.bytes)));
        r.last = header.last;
        answer.no_solution = header.no_solution;
        answer.solution.optimal = header.optimal;
        answer.solution.value = header.value;
        answer.solution.bound = header.bound;
        answer.solution.x.resize(header.bytes / sizeof(double));
        if (header.bytes > 0) std::memcpy(answer.solution.x.data(), sent.data(), header.bytes);
        sent.remove_prefix(header.bytes);
    }
    return r;
}

}  // namespace

CbcAnswer run_cbc_apart(const IntegerProgram& program, const SolveOptions& options) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw InternalError("no pipe for CBC");
    const pid_t copy = fork();
    if (copy == 0) work_in_copy(ends[1], program, options);
    close(ends[1]);
    if (copy < 0) {
        close(ends[0]);
        throw InternalError("no process for CBC");
    }
    const double most = options.seconds ? 2 * *options.seconds + 5 : std::numeric_limits<double>::infinity();
    const std::string sent = received(ends[0], most);
    close(ends[0]);
    kill(copy, SIGKILL);  // it has ended, or is to
    int status = 0;
    waitpid(copy, &status, 0);
    Received r = last_answer(sent);
    if (!r.last && !options.seconds)
        throw InternalError(fmt::format("CBC ended without an answer, by signal {}", WTERMSIG(status)));
    return std::move(r.answer);
}

}  // namespace moesim
