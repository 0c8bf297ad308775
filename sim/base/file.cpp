#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace moesim {
namespace {

// An open file descriptor, closed at the end of the scope.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return fd_; }
    int close() {
        const int rc = fd_ >= 0 ? ::close(fd_) : 0;
        fd_ = -1;
        return rc;
    }

  private:
    int fd_;
};

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
    throw InputError(path.string() + ": " + what);
}

[[noreturn]] void fail_errno(const std::filesystem::path& path, const std::string& what) {
    // strerror is not thread-safe by the letter; glibc's is for known errors, and it is called once before the end.
    fail(path, what + ": " + std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
}

void write_all(int fd, std::string_view content, const std::filesystem::path& path) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail_errno(path, "cannot write");
        content.remove_prefix(static_cast<std::size_t>(n));
    }
}

// Removes the temporary file unless it was renamed into place.
class TemporaryFile {
  public:
    explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
    ~TemporaryFile() {
        if (!path_.empty()) ::unlink(path_.c_str());
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    void keep() { path_.clear(); }

  private:
    std::string path_;
};

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) fail_errno(path, "cannot open");
    struct stat info = {};
    if (::fstat(file.get(), &info) != 0) fail_errno(path, "cannot stat");
    if (S_ISDIR(info.st_mode)) fail(path, "is a directory, expected a file");
    if (!S_ISREG(info.st_mode)) fail(path, "is not a regular file");
    std::string text;
    std::array<char, 1 << 16> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    for (;;) {
        const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail_errno(path, "cannot read");
        if (n == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(n));
        if (text.size() > limit_bytes)
            fail(path, "is larger than " + std::to_string(limit_bytes) + " bytes, the limit for this kind of file");
    }
}

void write_file(const std::filesystem::path& path, std::string_view content) {
    std::string temporary = path.string() + ".XXXXXX";
    Descriptor file(::mkstemp(temporary.data()));
    if (file.get() < 0) fail_errno(path, "cannot create");
    TemporaryFile guard(temporary);
    write_all(file.get(), content, path);
    const mode_t mask = ::umask(0);  // mkstemp makes the file private; give it the mode any new file has
    ::umask(mask);
    if (::fchmod(file.get(), 0666 & ~mask) != 0 || ::fsync(file.get()) != 0 || file.close() != 0)
        fail_errno(path, "cannot write");
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail_errno(path, "cannot create");
    guard.keep();
}

}  // namespace moesim
