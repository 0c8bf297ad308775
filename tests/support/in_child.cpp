#include "support/in_child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>

namespace moesim::test {
namespace {

void write_all(int fd, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
        if (n <= 0) return;
        at += static_cast<std::size_t>(n);
    }
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        const ssize_t n = ::read(fd, buffer.data(), buffer.size());
        if (n <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

}  // namespace

nlohmann::json in_child(const std::function<nlohmann::json()>& work) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("no child process");
    if (child == 0) {
        ::close(ends[0]);
        nlohmann::json answer;
        try {
            answer["value"] = work();
        } catch (const std::exception& e) {
            answer["error"] = e.what();
        }
        write_all(ends[1], answer.dump());
        ::close(ends[1]);
        ::_exit(0);  // without the destructors of the parent's copies
    }
    ::close(ends[1]);
    const std::string text = read_all(ends[0]);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    const auto answer = nlohmann::json::parse(text, nullptr, false);
    if (answer.is_discarded()) throw std::runtime_error("the child died with status " + std::to_string(status));
    if (answer.contains("error")) throw std::runtime_error(answer["error"].get<std::string>());
    return answer["value"];
}

}  // namespace moesim::test
