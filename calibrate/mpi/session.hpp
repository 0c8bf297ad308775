#pragma once
// Ranks that were started together by mpirun.
#include <functional>
#include <memory>
#include <string>

#include "calibrate/execute/rank_run.hpp"
#include "calibrate/execute/transport.hpp"

namespace moesim {

// Joins this process to those that mpirun started beside it; alone where nobody started it so. One a process. Messages
// are MPI's, sent from the calling thread alone. Where no thread computes beside it, MPI need not allow any, and the
// clock is MPI_Wtime: so that one that simulates (SMPI) says what time it is.
//
// Throws MachineLacks where this build has no MPI.
class MpiSession {
  public:
    explicit MpiSession(Computing computing = Computing::beside_messages);
    ~MpiSession();
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;

    [[nodiscard]] Transport& transport();
    [[nodiscard]] const std::string& host() const;  // that this rank runs on
    [[nodiscard]] const std::string& version() const;
    // Which of the ranks on this host this one is, and how many there are.
    [[nodiscard]] int local_rank() const;
    [[nodiscard]] int local_ranks() const;

    // Ends all ranks, wherever they are: for failures of one that the others would wait for.
    [[noreturn]] void abort(int exit_code);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace moesim
