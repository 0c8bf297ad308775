#include "cli/temporary_folder.hpp"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/error.hpp"

namespace moesim {

TemporaryFolder::TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "moesim-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw InputError("found no room for a folder in " + name);
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace moesim
