#include "kernels/cpu/backend.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/cpu/operations.hpp"
#include "kernels/cpu/stream.hpp"
#include "kernels/error.hpp"

namespace moesim::kernels {
namespace {

using Clock = std::chrono::steady_clock;

class CpuEvent final : public Event {
  public:
    [[nodiscard]] Seconds since(const Event& earlier) const override {
        const auto* other = dynamic_cast<const CpuEvent*>(&earlier);
        if (other == nullptr) throw ArgumentError("since: an event of another backend");
        return Seconds(std::chrono::duration<double>(moment_ - other->moment_).count());
    }

  private:
    Clock::time_point moment_ = Clock::now();
};

struct Level {
    int number;
    const VectorCode* code;
};

// The best that the machine can run, up to `most`.
Level level_of_machine([[maybe_unused]] int most) {
#ifdef MOESIM_X86_LEVELS
    // All of the level's instructions that compilers use for these loops; x86-64 psABI, section 3.1.1.
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl");
    if (v4 && most >= 4) return {4, vector_code_4()};
    if (v3 && most >= 3) return {3, vector_code_3()};
#endif
    return {1, vector_code_1()};
}

Level level_for(int wanted) {
    const Level level = level_of_machine(wanted == 0 ? 4 : wanted);
    if (wanted != 0 && level.number != wanted)
        throw DeviceLacking(fmt::format("this processor, or this build, has no vector code of level {}", wanted));
    return level;
}

int threads_of(int wanted) {
    if (wanted < 0) throw ArgumentError(fmt::format("{} threads", wanted));
#ifdef _OPENMP
    return wanted > 0 ? wanted : omp_get_max_threads();
#else
    return 1;
#endif
}

std::int64_t cache_bytes_of(std::int64_t wanted) {
    constexpr std::int64_t unknown = 32 << 20;
    const std::int64_t last_level = wanted > 0 ? wanted : ::sysconf(_SC_LEVEL3_CACHE_SIZE);
    return last_level > 0 ? last_level : unknown;
}

// Linux promises memory that it has not got, and ends the program that then uses it: what is more than the machine has
// is refused beforehand.
void require_memory(std::int64_t bytes) {
    const std::int64_t all = ::sysconf(_SC_PHYS_PAGES) * ::sysconf(_SC_PAGESIZE);
    if (all > 0 && bytes > all) throw DeviceLacking(fmt::format("no memory for {} bytes: there are {}", bytes, all));
}

class CpuBackend final : public Backend {
  public:
    CpuBackend(Level level, int threads, std::int64_t cache_bytes)
        : level_(level), threads_(threads), operations_(*level.code, threads, cache_bytes) {}

    [[nodiscard]] std::string_view name() const override { return "cpu"; }
    [[nodiscard]] std::string description() const override {
        return fmt::format("{} threads, vector code of level {}", threads_, level_.number);
    }
    [[nodiscard]] Buffer allocate(std::int64_t bytes) override {
        if (bytes < 0) throw ArgumentError(fmt::format("allocate: {} bytes", bytes));
        if (bytes == 0) return {};
        require_memory(bytes);
        // Rows in any order touch pages in any order: with large ones, fewer addresses have to be looked up.
        constexpr std::size_t huge_page = 2 << 20;
        const std::size_t alignment = static_cast<std::size_t>(bytes) >= 2 * huge_page ? huge_page : 256;
        const std::size_t size = (static_cast<std::size_t>(bytes) + alignment - 1) / alignment * alignment;
        void* const data = std::aligned_alloc(alignment, size);
        if (data == nullptr) throw DeviceLacking(fmt::format("no memory for {} bytes", bytes));
        if (alignment == huge_page) ::madvise(data, size, MADV_HUGEPAGE);  // a wish: what comes of it does not matter
        return {data, bytes, [](void* p) { std::free(p); }};
    }
    [[nodiscard]] std::unique_ptr<Stream> make_stream() override { return std::make_unique<CpuStream>(); }
    [[nodiscard]] Operations& operations() override { return operations_; }

  private:
    Level level_;
    int threads_;
    CpuOperations operations_;
};

}  // namespace

std::unique_ptr<Event> CpuStream::record() { return std::make_unique<CpuEvent>(); }

void CpuStream::copy(void* to, const void* from, std::int64_t bytes) {
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
}

void CpuStream::fill_bytes(void* to, unsigned char value, std::int64_t bytes) {
    if (bytes > 0) std::memset(to, value, static_cast<std::size_t>(bytes));
}

float* CpuStream::scratch(std::size_t purpose, std::int64_t floats) {
    if (scratch_.size() <= purpose) scratch_.resize(purpose + 1);
    std::vector<float>& memory = scratch_[purpose];
    if (memory.size() >= static_cast<std::size_t>(floats)) return memory.data();
    require_memory(floats * static_cast<std::int64_t>(sizeof(float)));
    try {
        memory = {};  // first, so that both are never there
        memory.resize(static_cast<std::size_t>(floats));
    } catch (const std::bad_alloc&) {
        throw DeviceLacking(fmt::format("no memory for {} intermediate values", floats));
    }
    return memory.data();
}

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
    return std::make_unique<CpuBackend>(level_for(options.level), threads_of(options.threads),
                                        cache_bytes_of(options.cache_bytes));
}

}  // namespace moesim::kernels
