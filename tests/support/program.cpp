#include "support/program.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace moesim::test {
namespace {

std::string quoted(const std::string& s) {
    std::string q = "'";
    for (const char c : s) {
        if (c == '\'') q += "'\\'";
        q += c;
    }
    q += '\'';
    return q;
}

}  // namespace

ProgramRun run_program(const std::vector<std::string>& arguments) {
    const std::string err_file = "/tmp/moesim-test-" + std::to_string(::getpid()) + ".err";
    std::string command = quoted(MOESIM_PROGRAM);
    for (const std::string& a : arguments) command.append(1, ' ').append(quoted(a));
    command.append(" </dev/null 2>").append(err_file);
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("cannot start " + command);
    ProgramRun run;
    char buffer[65536];
    for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) run.out.append(buffer, n);
    const int status = ::pclose(pipe);
    run.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    std::ifstream err(err_file);
    std::stringstream text;
    text << err.rdbuf();
    run.err = text.str();
    std::remove(err_file.c_str());
    return run;
}

}  // namespace moesim::test
