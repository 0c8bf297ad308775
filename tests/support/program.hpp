#pragma once
// The program, run under conditions that a shell line cannot set up portably, and folders to run it in.
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace moesim::test {

// A new folder that every user may enter, removed with all that it holds at the end of the scope.
class Folder {
  public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    // Writes a file into it, and gives back the file's path.
    std::filesystem::path write(const std::string& name,
                                std::string_view content) const;  // NOLINT(modernize-use-nodiscard)
    // The names of all files and folders in it, in order.
    [[nodiscard]] std::vector<std::string> names() const;

  private:
    std::filesystem::path path_;
};

enum class Stdout { captured, closed, full };

struct Conditions {
    Stdout out = Stdout::captured;
    bool err_closed = false;
    bool unprivileged = false;  // held to the rights of files and folders, even where the test runs as root
    long largest_file = -1;     // bytes that a file may have (a full disk, to the program); -1: any
    std::string temporary;      // the folder for temporary files, if not the system's
    int signal = 0;             // sent once there is something in `temporary`
};

struct Ended {
    int exit_code = -1;  // 128 + the signal's number where a signal ended it
    std::string out, err;
};

Ended run_process(const std::vector<std::string>& arguments, const Conditions& conditions = {});

std::string slurp(const std::filesystem::path& file);

}  // namespace moesim::test
