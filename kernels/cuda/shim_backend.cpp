#include "kernels/cuda/shim_backend.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/cpu/vector/table.hpp"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/stream.hpp"
#include "kernels/error.hpp"

namespace moesim::kernels {
namespace on_shim {
namespace {

// Of just this size, so that the address sanitizer sees what lies beyond it.
void* exact_memory(std::int64_t bytes) {
    void* data = nullptr;
    if (bytes < 0) throw ArgumentError(fmt::format("allocate: {} bytes", bytes));
    constexpr std::int64_t most = std::int64_t{1} << 36;  // of a graphics card, about
    if (bytes > most || ::posix_memalign(&data, 256, static_cast<std::size_t>(bytes)) != 0)
        throw DeviceLacking(fmt::format("no memory for {} bytes", bytes));
    return data;
}

class ShimEvent final : public Event {
  public:
    [[nodiscard]] Seconds since(const Event& earlier) const override {
        const auto* other = dynamic_cast<const ShimEvent*>(&earlier);
        if (other == nullptr) throw ArgumentError("since: an event of another backend");
        return Seconds(std::chrono::duration<double>(moment_ - other->moment_).count());
    }

  private:
    std::chrono::steady_clock::time_point moment_ = std::chrono::steady_clock::now();
};

class ShimStream final : public CudaStream {
  public:
    void synchronize() override {}
    std::unique_ptr<Event> record() override { return std::make_unique<ShimEvent>(); }
    void copy_in(void* to, const void* from_host, std::int64_t bytes) override { copy(to, from_host, bytes); }
    void copy_out(void* to_host, const void* from, std::int64_t bytes) override { copy(to_host, from, bytes); }
    void copy(void* to, const void* from, std::int64_t bytes) override {
        if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
    }
    void fill_bytes(void* to, unsigned char value, std::int64_t bytes) override {
        if (bytes > 0) std::memset(to, value, static_cast<std::size_t>(bytes));
    }

    [[nodiscard]] shim::Stream handle() const override { return nullptr; }
    // Few, so that what depends on the number has more than one piece for each already in small tests.
    [[nodiscard]] unsigned multiprocessors() const override { return 3; }

    void multiply(std::span<const Product> products, const ProductRules& rules) override {
        for (const Product& p : products) multiply(p, rules);
    }

  private:
    // New for each call, and full of NaNs.
    [[nodiscard]] void* scratch_bytes(std::size_t purpose, std::int64_t bytes) override {
        if (scratch_.size() <= purpose) scratch_.resize(purpose + 1);
        scratch_[purpose] = {};
        if (bytes == 0) return nullptr;
        scratch_[purpose] = Buffer(exact_memory(bytes), bytes, [](void* p) { std::free(p); });
        fill_bytes(scratch_[purpose].data(), 0xff, bytes);
        return scratch_[purpose].data();
    }

    static std::vector<float> wide(const void* table, Scalar scalar, std::int64_t rows, std::int64_t cols,
                                   std::int64_t stride) {
        std::vector<float> numbers(static_cast<std::size_t>(rows * cols));
        for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t c = 0; c < cols; ++c)
                numbers[static_cast<std::size_t>(r * cols + c)] =
                    scalar == Scalar::fp32 ? static_cast<const float*>(table)[r * stride + c]
                                           : static_cast<float>(static_cast<const bfloat16*>(table)[r * stride + c]);
        return numbers;
    }

    static void multiply(const Product& p, const ProductRules& rules) {
        std::vector<float> a = wide(p.a, rules.in, p.m, p.k, p.a_stride);
        const std::vector<float> b = wide(p.b, rules.in, p.n, p.k, p.b_stride);
        std::vector<float> c(static_cast<std::size_t>(p.m * p.n));
        if (rules.accumulate) c = wide(p.c, rules.out, p.m, p.n, p.c_stride);
        for (float& x : a) x *= rules.alpha;
        if (p.k > 0 && !c.empty())
            vector_code_1()->gemm(p.m, p.n, p.k, a.data(), p.k, b.data(), p.k, c.data(), p.n, true);
        for (std::int64_t i = 0; i < p.m; ++i)
            for (std::int64_t j = 0; j < p.n; ++j) {
                const float x = c[static_cast<std::size_t>(i * p.n + j)];
                if (rules.out == Scalar::fp32)
                    static_cast<float*>(p.c)[i * p.c_stride + j] = x;
                else
                    static_cast<bfloat16*>(p.c)[i * p.c_stride + j] = bfloat16(x);
            }
    }

    std::vector<Buffer> scratch_;
};

class ShimBackend final : public Backend {
  public:
    [[nodiscard]] std::string_view name() const override { return "cuda on the shim"; }
    [[nodiscard]] std::string description() const override { return "kernels as C++, on one thread"; }
    [[nodiscard]] Buffer allocate(std::int64_t bytes) override {
        if (bytes == 0) return {};
        return {exact_memory(bytes), bytes, [](void* p) { std::free(p); }};
    }
    [[nodiscard]] std::unique_ptr<Stream> make_stream() override { return std::make_unique<ShimStream>(); }
    [[nodiscard]] Operations& operations() override { return operations_; }

  private:
    CudaOperations operations_;
};

}  // namespace
}  // namespace on_shim

std::unique_ptr<Backend> make_shim_backend() { return std::make_unique<on_shim::ShimBackend>(); }

}  // namespace moesim::kernels
