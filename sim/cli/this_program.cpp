#include "cli/this_program.hpp"

#include <filesystem>

namespace moesim {

std::string this_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace moesim
