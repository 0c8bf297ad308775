#pragma once
// Files as moesim reads and writes them.
#include <filesystem>
#include <string>
#include <string_view>

namespace moesim {

// The whole file. Throws InputError, naming the file, where it is missing, a directory, unreadable, or larger than
// `limit_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes);

// A file that is written, in full and to the disk, under a temporary name beside its own, and gets its name by
// commit(); without that it is removed. So several files can appear together or not at all.
class PendingFile {
  public:
    // A link stays one: what it points to is written. Throws InputError, naming the file, where it cannot be written,
    // or is a directory, a device or a pipe; nothing is left behind.
    PendingFile(std::filesystem::path path, std::string_view content);
    ~PendingFile();
    PendingFile(const PendingFile&) = delete;
    PendingFile& operator=(const PendingFile&) = delete;
    void commit();  // replaces what had the name; throws InputError where that fails, and the old content stays

  private:
    std::filesystem::path path_;
    std::string temporary_;  // empty: has its name
};

// Throws what writing the file would throw, before the work for it is done. Leaves nothing behind.
void expect_writable(const std::filesystem::path& path);

// Writes the file whole or not at all: into a temporary file beside it, synced, then renamed over it.
// Throws InputError, naming the file, where that fails; the old content is then still there.
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace moesim
