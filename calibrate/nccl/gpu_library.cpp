#include "calibrate/nccl/gpu_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "base/machine_lacks.hpp"
#include "base/version.hpp"

namespace moesim {

int device_of_rank(GpuLibrary& library, int local_rank, int local_ranks) {
    const int devices = library.devices();
    if (devices < local_ranks)
        throw MachineLacks(
            fmt::format("--backend cuda: found {} CUDA device{}, expected {}: one for each rank on a host", devices,
                        devices == 1 ? "" : "s", local_ranks));
    return local_rank;
}

std::unique_ptr<GpuLibrary> load_gpu_library(const std::filesystem::path& program) {
    constexpr const char* file = "moesim_gpu.so";
    const std::filesystem::path beside = program.parent_path() / file,
                                installed = program.parent_path() / MOESIM_MODULE_FOLDER / file;
    const std::filesystem::path& path = std::filesystem::exists(beside) ? beside : installed;
    if (!std::filesystem::exists(path))
        throw MachineLacks(fmt::format("--backend cuda: this moesim was built without CUDA or NCCL: there is no {}",
                                       beside.lexically_normal().string()));
    void* const module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) throw MachineLacks(fmt::format("--backend cuda: {}", ::dlerror()));
    using Make = GpuLibrary*(const char*);
    auto* const make = reinterpret_cast<Make*>(::dlsym(module, "moesim_make_gpu_library"));
    GpuLibrary* const library = make == nullptr ? nullptr : make(std::string(version()).c_str());
    if (library == nullptr)
        throw MachineLacks(fmt::format("--backend cuda: {} is of another version of moesim", path.string()));
    return std::unique_ptr<GpuLibrary>(library);
}

}  // namespace moesim
