#pragma once
// Programs run by this one.
#include <string>
#include <vector>

namespace moesim {

// Runs command[0] with the other arguments, its output and errors written to these files, and waits for it. It is ended
// with the calling thread, so that nothing goes on computing for someone who has gone away. Its exit code, or 128 + the
// number of the signal that ended it. Throws InternalError where it cannot be started, InputError where a file cannot
// be made.
int run_child(const std::vector<std::string>& command, const std::string& out, const std::string& err);

}  // namespace moesim
