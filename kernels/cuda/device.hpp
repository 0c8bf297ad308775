#pragma once
// What the CUDA runtime and cuBLAS hand out, owned; their errors as the kernels' own.
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "kernels/error.hpp"

namespace moesim::kernels::by_nvcc {

// Throws DeviceLacking where memory is short, DeviceFailure otherwise.
inline void check(cudaError_t status, const char* what) {
    if (status == cudaSuccess) return;
    cudaGetLastError();  // the next call is not to report this one again
    const std::string text = std::string(what) + ": " + cudaGetErrorString(status);
    if (status == cudaErrorMemoryAllocation) throw DeviceLacking(text);
    throw DeviceFailure(text);
}
inline void check(cublasStatus_t status, const char* what) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    const std::string text = std::string(what) + ": " + cublasGetStatusString(status);
    if (status == CUBLAS_STATUS_ALLOC_FAILED) throw DeviceLacking(text);
    throw DeviceFailure(text);
}

// A handle with the function that gives it back; an error there has nobody to go to.
template <class Handle, auto release>
struct Release {
    using pointer = Handle;
    void operator()(Handle handle) const { release(handle); }
};
template <class Handle, auto release>
using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Release<Handle, release>>;

using StreamOwner = Owner<cudaStream_t, cudaStreamDestroy>;
using EventOwner = Owner<cudaEvent_t, cudaEventDestroy>;
using CublasOwner = Owner<cublasHandle_t, cublasDestroy>;
using CublasLtOwner = Owner<cublasLtHandle_t, cublasLtDestroy>;
using OperationOwner = Owner<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using LayoutOwner = Owner<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using PreferenceOwner = Owner<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

// Memory that comes and goes in the order of a stream's work, and grows with what is asked for.
class StreamMemory {
  public:
    explicit StreamMemory(cudaStream_t stream) : stream_(stream) {}
    ~StreamMemory() { release(); }
    StreamMemory(StreamMemory&& other) noexcept
        : stream_(other.stream_), data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    StreamMemory& operator=(StreamMemory&&) = delete;

    // What it held is lost. Throws DeviceLacking.
    void* of_size(std::size_t bytes) {
        if (bytes <= bytes_) return data_;
        release();  // first, so that both are never there
        check(cudaMallocAsync(&data_, bytes, stream_), "memory for intermediate values");
        bytes_ = bytes;
        return data_;
    }

  private:
    void release() {
        if (data_ != nullptr) cudaFreeAsync(data_, stream_);
        data_ = nullptr;
        bytes_ = 0;
    }
    cudaStream_t stream_;
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
};

// Handle by way of a function that writes it: owned<CublasLtOwner>(cublasLtCreate, "cublasLtCreate").
template <class Owned, class Make, class... Args>
Owned owned(Make make, const char* what, Args... args) {
    typename Owned::pointer handle = nullptr;
    check(make(&handle, args...), what);
    return Owned(handle);
}

}  // namespace moesim::kernels::by_nvcc
