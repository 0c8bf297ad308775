#pragma once
// Products of matrices by cuBLAS, for one stream.
#include <array>
#include <map>
#include <vector>

#include "kernels/cuda/device.hpp"
#include "kernels/cuda/stream.hpp"

namespace moesim::kernels::by_nvcc {

// Sums are fp32, products of fp32 as well (no TF32). Several products are one launch (cublasGemmGroupedBatchedEx) by
// the rule of product.hpp. Otherwise, and for types that the library does not group, each is a launch of its own
// (cublasLtMatmul), by the algorithm that the library's heuristic names first.
class Products {
  public:
    // Throws DeviceFailure, DeviceLacking.
    Products(cudaStream_t stream, unsigned multiprocessors);
    void multiply(std::span<const Product> products, const ProductRules& rules);

  private:
    // m, n, k, the three strides; types and whether it accumulates.
    using Shape = std::array<std::int64_t, 9>;

    void multiply_each(std::span<const Product> products, const ProductRules& rules);
    // False where the library has no such thing.
    [[nodiscard]] bool multiply_grouped(std::span<const Product> products, const ProductRules& rules);
    const cublasLtMatmulAlgo_t& algorithm(const Shape& shape, cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a,
                                          cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c);

    cudaStream_t stream_;
    unsigned multiprocessors_;
    CublasLtOwner one_;
    CublasOwner many_;
    StreamMemory workspace_, pointers_;
    std::map<Shape, cublasLtMatmulAlgo_t> algorithms_;
    bool refused_[2][2] = {};  // [in][out]: types that are not grouped
};

}  // namespace moesim::kernels::by_nvcc
