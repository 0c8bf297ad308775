#include "cli/rank_device.hpp"

#include "cli/this_program.hpp"
#include "kernels/cpu/backend.hpp"

namespace moesim {

RankDevice rank_device(const std::string& backend, int local_rank, int local_ranks) {
    RankDevice d;
    if (backend == "cuda") {
        d.library = load_gpu_library(this_program());
        d.number = device_of_rank(*d.library, local_rank, local_ranks);
        d.backend = d.library->backend(d.number);
    } else {
        kernels::CpuOptions cpu;
        cpu.threads = 1;
        d.backend = kernels::make_cpu_backend(cpu);
    }
    return d;
}

}  // namespace moesim
