#include "kernels/cuda/backend.hpp"

#include <limits>
#include <optional>
#include <vector>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/operations.hpp"
#include "kernels/cuda/products.hpp"
#include "kernels/cuda/stream.hpp"

namespace moesim::kernels {
namespace by_nvcc {
namespace {

// Whether this build's kernels run on a device.
__global__ void nothing() {}

class DeviceEvent final : public Event {
  public:
    explicit DeviceEvent(cudaStream_t stream)
        : event_(owned<EventOwner>(cudaEventCreateWithFlags, "cudaEventCreateWithFlags", cudaEventDefault)) {
        check(cudaEventRecord(event_.get(), stream), "cudaEventRecord");
    }
    [[nodiscard]] Seconds since(const Event& earlier) const override {
        const auto* other = dynamic_cast<const DeviceEvent*>(&earlier);
        if (other == nullptr) throw ArgumentError("since: an event of another backend");
        check(cudaEventSynchronize(other->event_.get()), "cudaEventSynchronize");
        check(cudaEventSynchronize(event_.get()), "cudaEventSynchronize");
        float milliseconds = 0;
        check(cudaEventElapsedTime(&milliseconds, other->event_.get(), event_.get()), "cudaEventElapsedTime");
        return Seconds(static_cast<double>(milliseconds) * 1e-3);
    }

  private:
    EventOwner event_;
};

// A device is a property of threads: the last stream that was used says which one the thread has.
class DeviceStream final : public CudaStream {
  public:
    DeviceStream(int device, unsigned multiprocessors) : device_(device), multiprocessors_(multiprocessors) {
        use_device();
        stream_ = owned<StreamOwner>(cudaStreamCreateWithFlags, "cudaStreamCreateWithFlags", cudaStreamNonBlocking);
    }

    void synchronize() override {
        use_device();
        check(cudaStreamSynchronize(stream_.get()), "cudaStreamSynchronize");
    }
    std::unique_ptr<Event> record() override {
        use_device();
        return std::make_unique<DeviceEvent>(stream_.get());
    }
    void copy_in(void* to, const void* from_host, std::int64_t bytes) override {
        copy(to, from_host, bytes, cudaMemcpyHostToDevice);
    }
    void copy_out(void* to_host, const void* from, std::int64_t bytes) override {
        copy(to_host, from, bytes, cudaMemcpyDeviceToHost);
    }
    void copy(void* to, const void* from, std::int64_t bytes) override {
        copy(to, from, bytes, cudaMemcpyDeviceToDevice);
    }
    void fill_bytes(void* to, unsigned char value, std::int64_t bytes) override {
        use_device();
        if (bytes > 0)
            check(cudaMemsetAsync(to, value, static_cast<std::size_t>(bytes), stream_.get()), "cudaMemsetAsync");
    }

    [[nodiscard]] shim::Stream handle() const override {
        use_device();
        return stream_.get();
    }
    [[nodiscard]] unsigned multiprocessors() const override { return multiprocessors_; }
    void multiply(std::span<const Product> products, const ProductRules& rules) override {
        use_device();
        if (!products_) products_.emplace(stream_.get(), multiprocessors_);
        products_->multiply(products, rules);
    }

  private:
    void use_device() const { check(cudaSetDevice(device_), "cudaSetDevice"); }
    void copy(void* to, const void* from, std::int64_t bytes, cudaMemcpyKind kind) {
        use_device();
        if (bytes > 0)
            check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), kind, stream_.get()), "cudaMemcpyAsync");
    }
    [[nodiscard]] void* scratch_bytes(std::size_t purpose, std::int64_t bytes) override {
        use_device();
        while (scratch_.size() <= purpose) scratch_.emplace_back(stream_.get());
        return scratch_[purpose].of_size(static_cast<std::size_t>(bytes));
    }

    int device_;
    unsigned multiprocessors_;
    StreamOwner stream_;  // the others go before it does
    std::vector<StreamMemory> scratch_;
    std::optional<Products> products_;
};

class CudaBackend final : public Backend {
  public:
    CudaBackend(int device, const cudaDeviceProp& properties)
        : device_(device), multiprocessors_(static_cast<unsigned>(properties.multiProcessorCount)),
          description_(describe(properties)) {}

    [[nodiscard]] std::string_view name() const override { return "cuda"; }
    [[nodiscard]] std::string description() const override { return description_; }
    [[nodiscard]] Buffer allocate(std::int64_t bytes) override {
        if (bytes < 0) throw ArgumentError("allocate: " + std::to_string(bytes) + " bytes");
        if (bytes == 0) return {};
        check(cudaSetDevice(device_), "cudaSetDevice");
        void* data = nullptr;
        check(cudaMalloc(&data, static_cast<std::size_t>(bytes)), "memory of the device");
        return {data, bytes, [](void* p) { cudaFree(p); }};
    }
    [[nodiscard]] std::unique_ptr<Stream> make_stream() override {
        return std::make_unique<DeviceStream>(device_, multiprocessors_);
    }
    [[nodiscard]] Operations& operations() override { return operations_; }

  private:
    static std::string version(int number) {
        return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
    }
    static std::string describe(const cudaDeviceProp& properties) {
        int driver = 0, runtime = 0;
        check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
        check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
        return std::string(properties.name) + ", compute capability " + std::to_string(properties.major) + "." +
               std::to_string(properties.minor) + ", " + std::to_string(properties.multiProcessorCount) +
               " multiprocessors, " + std::to_string(properties.totalGlobalMem >> 20) + " MiB; driver for CUDA " +
               version(driver) + ", runtime " + version(runtime) + ", cuBLAS " + std::to_string(cublasLtGetVersion());
    }

    int device_;
    unsigned multiprocessors_;
    std::string description_;
    CudaOperations operations_;
};

void require(cudaError_t status, const std::string& lacking) {
    if (status == cudaSuccess) return;
    cudaGetLastError();
    throw DeviceLacking(lacking + ": " + cudaGetErrorString(status));
}

}  // namespace
}  // namespace by_nvcc

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
    using namespace by_nvcc;
    int count = 0;
    require(cudaGetDeviceCount(&count), "no CUDA device");
    if (options.device < 0 || options.device >= count)
        throw DeviceLacking("no CUDA device " + std::to_string(options.device) + ": there are " +
                            std::to_string(count));
    cudaDeviceProp properties = {};
    require(cudaGetDeviceProperties(&properties, options.device), "CUDA device " + std::to_string(options.device));
    const std::string device = properties.name;
    require(cudaSetDevice(options.device), device);
    cudaFuncAttributes kernel = {};
    require(cudaFuncGetAttributes(&kernel, nothing), device + " cannot run this build's kernels");
    int pools = 0;
    require(cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, options.device), device);
    if (pools == 0) throw DeviceLacking(device + " has no memory in the order of streams");
    return std::make_unique<CudaBackend>(options.device, properties);
}

}  // namespace moesim::kernels
