#include "cli/output.hpp"

#include <cstdio>
#include <filesystem>

#include "base/error.hpp"

namespace moesim {

void print(std::string_view answer) {
    const bool whole = std::fwrite(answer.data(), 1, answer.size(), stdout) == answer.size();
    if (!whole || std::fflush(stdout) != 0) throw InputError("stdout: cannot write the answer");
}

void make_folder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) throw InputError(path + ": cannot create the folder: " + error.message());
    if (!std::filesystem::is_directory(path)) throw InputError(path + ": is a file, expected a folder");
}

}  // namespace moesim
