#pragma once
// Files as moesim reads and writes them.
#include <filesystem>
#include <string>
#include <string_view>

namespace moesim {

// The whole file. Throws InputError, naming the file, where it is missing, a directory, unreadable, or larger than
// `limit_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes);

// Writes the file whole or not at all: into a temporary file beside it, synced, then renamed over it.
// Throws InputError, naming the file, where that fails; the old content is then still there.
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace moesim
