#pragma once
// SimGrid allows one simulation a process; a test that needs several runs each in a child of its own.
#include <functional>
#include <nlohmann/json.hpp>

namespace moesim::test {

// Runs `work` in a child process and gives back what it returns. Throws std::runtime_error with the child's message
// where it threw or died.
nlohmann::json in_child(const std::function<nlohmann::json()>& work);

}  // namespace moesim::test
