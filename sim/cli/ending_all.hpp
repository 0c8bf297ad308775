#pragma once
#include <exception>
#include <string>

#include "base/error.hpp"
#include "calibrate/mpi/session.hpp"

namespace moesim {

// One rank's failure while the others wait for it: says so, and ends all of them.
[[noreturn]] void give_up(MpiSession& session, ExitCode code, const std::string& what);

// work(), or all ranks end. Called where what the ranks hold together still stands: to give a communicator back would
// wait for ranks that wait for this one.
template <class Work>
auto ending_all(MpiSession& session, const Work& work) -> decltype(work()) {
    try {
        return work();
    } catch (const Error& e) {
        give_up(session, e.code(), e.what());
    } catch (const std::exception& e) {
        give_up(session, ExitCode::own_fault, e.what());
    }
}

}  // namespace moesim
