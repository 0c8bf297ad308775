#include "planner/program_effort.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace moesim {

void ProgramFiles::write(const IntegerProgram& program, const std::string& stage) const {
    if (path.empty()) return;
    std::filesystem::path file(path);
    file.replace_filename(file.stem().string() + '-' + stage + file.extension().string());
    write_program(program, file.string());
}

void check_program_size(const std::string& what, double elements) {
    // Some GB; the first relaxation alone takes longer than anyone waits.
    constexpr double most = 2e7;
    if (elements > most)
        throw InputError(fmt::format("{} would have {:.3g} elements, expected at most {:.3g}: too large for CBC", what,
                                     elements, most));
}

SolveOptions ProgramEffort::part(double share) const {
    SolveOptions options;
    options.seed = effort_.seed;
    options.nodes = effort_.iterations;
    if (effort_.seconds) options.seconds = std::max(0.0, share * (*effort_.seconds - watch_.elapsed().value()));
    return options;
}

}  // namespace moesim
