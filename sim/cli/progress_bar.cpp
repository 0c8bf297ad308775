#include "cli/progress_bar.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <string>

namespace moesim {

ProgressBar::ProgressBar() : start_(Clock::now()), last_(start_), terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressBar::show(std::string_view phase, double share) {
    using namespace std::chrono_literals;
    constexpr std::size_t width = 40;
    const auto now = Clock::now();
    if (!terminal_ || now - start_ < 2s || now - last_ < 100ms) return;
    last_ = now;
    visible_ = true;
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
    fmt::print(stderr, "\r{:<10} [{}{}] {:3.0f}%", phase, std::string(filled, '#'), std::string(width - filled, ' '),
               share * 100);
}

void ProgressBar::clear() {
    if (visible_) fmt::print(stderr, "\r{:60}\r", "");
    visible_ = false;
}

}  // namespace moesim
