#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.hpp"

namespace moesim {
namespace {

constexpr auto not_a_file = "is a device or a pipe, expected a file";

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
    throw InputError((path.empty() ? "\"\"" : path.string()) + ": " + what);
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

}  // namespace

std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) fail_errno(path, "cannot open");
    struct stat info = {};
    if (::fstat(file.get(), &info) != 0) fail_errno(path, "cannot stat");
    if (S_ISDIR(info.st_mode)) fail(path, "is a directory, expected a file");
    if (!S_ISREG(info.st_mode)) fail(path, not_a_file);
    const auto check_size = [&](std::size_t size) {
        if (size > limit_bytes)
            fail(path, "is larger than " + std::to_string(limit_bytes) + " bytes, the limit for this kind of file");
    };
    check_size(static_cast<std::size_t>(info.st_size));
    std::string text;
    std::array<char, 1 << 16> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    for (;;) {
        const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail_errno(path, "cannot read");
        if (n == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(n));
        check_size(text.size());  // it may have grown, or be of a kind that tells no size
    }
}

PendingFile::PendingFile(std::filesystem::path path, std::string_view content) : path_(std::move(path)) {
    // The new file takes the old one's place: a link stays a link, and a device is not replaced by a file.
    std::error_code none;
    if (const auto target = std::filesystem::canonical(path_, none); !none) path_ = target;
    if (struct stat there = {}; ::stat(path_.c_str(), &there) == 0 && !S_ISREG(there.st_mode))
        fail(path_, S_ISDIR(there.st_mode) ? "is a directory, expected a file" : not_a_file);
    temporary_ = path_.string() + ".XXXXXX";
    Descriptor file(::mkstemp(temporary_.data()));
    if (file.get() < 0) {
        temporary_.clear();
        fail_errno(path_, "cannot create");
    }
    try {
        write_all(file.get(), content, path_);
        const mode_t mask = ::umask(0);  // mkstemp makes the file private; give it the mode any new file has
        ::umask(mask);
        if (::fchmod(file.get(), 0666 & ~mask) != 0 || ::fsync(file.get()) != 0 || file.close() != 0)
            fail_errno(path_, "cannot write");
    } catch (...) {  // the destructor does not run for what was not constructed
        ::unlink(temporary_.c_str());
        throw;
    }
}

PendingFile::~PendingFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void PendingFile::commit() {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_errno(path_, "cannot create");
    temporary_.clear();
}

void expect_writable(const std::filesystem::path& path) { const PendingFile never_committed(path, ""); }

void write_file(const std::filesystem::path& path, std::string_view content) { PendingFile(path, content).commit(); }

}  // namespace moesim
