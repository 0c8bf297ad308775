// In builds without MPI.
#include "base/machine_lacks.hpp"
#include "calibrate/mpi/session.hpp"

namespace moesim {

struct MpiSession::State {
    std::string text;
};

MpiSession::MpiSession(Computing) {
    throw MachineLacks("this build of moesim has no MPI: install libopenmpi-dev and openmpi-bin, and build it again");
}
MpiSession::~MpiSession() = default;
Transport& MpiSession::transport() { throw InternalError("no MPI"); }
const std::string& MpiSession::host() const { return state_->text; }
const std::string& MpiSession::version() const { return state_->text; }
int MpiSession::local_rank() const { return 0; }
int MpiSession::local_ranks() const { return 1; }
void MpiSession::abort(int) { throw InternalError("no MPI"); }

}  // namespace moesim
