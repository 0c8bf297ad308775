#include "cli/output.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "base/error.hpp"

namespace moesim {
namespace {

std::string last_error() { return std::generic_category().message(errno); }

}  // namespace

void print(std::string_view answer) {
    const bool whole = std::fwrite(answer.data(), 1, answer.size(), stdout) == answer.size();
    if (!whole || std::fflush(stdout) != 0) throw InputError("stdout: cannot write the answer: " + last_error());
}

void make_folder(const std::string& path) {
    namespace fs = std::filesystem;
    if (path.empty()) throw InputError("\"\": found an empty name, expected a folder");
    std::error_code error;
    if (fs::exists(path, error) && !fs::is_directory(path, error))
        throw InputError(path + ": is a file, expected a folder");
    fs::create_directories(path, error);
    if (error) throw InputError(path + ": cannot create the folder: " + error.message());
    if (::access(path.c_str(), W_OK | X_OK) != 0)
        throw InputError(path + ": cannot write into the folder: " + last_error());
}

}  // namespace moesim
