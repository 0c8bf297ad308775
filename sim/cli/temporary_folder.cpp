#include "cli/temporary_folder.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/error.hpp"

namespace moesim {
namespace {

// nohup, for one, asks not to be ended by one of them.
bool ignored(int signal) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    return now.sa_handler == SIG_IGN;
}

// Other threads may go on writing into it.
void remove_folder(const std::string& path) {
    std::error_code failed;
    for (int times = 0; times < 3; ++times) {
        std::filesystem::remove_all(path, failed);
        if (!failed) return;
    }
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
    // Before there is a folder: a signal from now on waits until somebody looks for it.
    sigemptyset(&signals_);
    for (const int s : {SIGINT, SIGTERM, SIGHUP})
        if (!ignored(s)) sigaddset(&signals_, s);
    pthread_sigmask(SIG_BLOCK, &signals_, &mask_before_);
    std::string name = (std::filesystem::temp_directory_path() / "moesim-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
        throw InputError("found no room for a folder in " + name);
    }
    path_ = name;
    done_ = eventfd(0, EFD_CLOEXEC);
    watcher_ = std::thread([this] { wait_for_signals(); });
}

TemporaryFolder::~TemporaryFolder() {
    eventfd_write(done_, 1);
    watcher_.join();
    close(done_);
    remove_folder(path_);
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void TemporaryFolder::wait_for_signals() const {
    const int arrived = signalfd(-1, &signals_, SFD_CLOEXEC);
    std::array<pollfd, 2> waited{pollfd{arrived, POLLIN, 0}, pollfd{done_, POLLIN, 0}};
    while (poll(waited.data(), waited.size(), -1) < 0) {
    }
    signalfd_siginfo signal{};
    const bool ends = (waited[0].revents & POLLIN) != 0 && read(arrived, &signal, sizeof signal) == sizeof signal;
    close(arrived);
    if (!ends) return;
    remove_folder(path_);
    // As if nobody had waited for it, so that a shell sees what ended the process.
    std::signal(static_cast<int>(signal.ssi_signo), SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
    std::raise(static_cast<int>(signal.ssi_signo));
}

}  // namespace moesim
